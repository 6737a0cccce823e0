// Writing an op as several: values in, values out, shapes inferred on the way.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/graph.h"

namespace slipway::ncnn {

// Puts nodes before `node`, which in the end becomes the last of them. The first error is kept; what follows it does nothing.
class Composer {
 public:
  Composer(Graph& graph, Node& node) : graph_(graph), node_(node) {}
  Value* Add(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {});
  Value* Constant(float value);
  Value* Constant(Tensor tensor);
  // `node` becomes this op; its output keeps name and origin.
  absl::StatusOr<bool> Finish(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {});

 private:
  std::string Name() const;
  Graph& graph_;
  Node& node_;
  absl::Status first_error_;
};

// Axis `at` of x times a constant matrix [to, from]: [outer, from, inner] → [outer · inner, from], times the matrix, and back. `shape` is x's, and then the result's.
Value* TimesMatrix(Composer& compose, Value* x, std::vector<int64_t>& shape, size_t at, const Tensor& matrix);

}  // namespace slipway::ncnn
