// Layers of PyTorch as graph nodes: what architectures are written with.
//
// Weights are asked for by their state-dict key and shape and stay open until Fit() puts a checkpoint's tensors in. A
// layer's node, and its output value, carry the module's name ("conv1"); weights carry their keys ("conv1.weight").
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/ir/graph.h"

namespace slipway {

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

class Builder {
 public:
  explicit Builder(std::string_view architecture);

  Value* Input(std::string_view name, Shape shape);
  Value* Conv2d(Value* x, std::string_view module, int64_t in, int64_t out, int64_t kernel,
                const ConvOptions& options = {});
  Value* PRelu(Value* x, std::string_view module, int64_t channels, int64_t rank);  // rank of x
  Value* MaxPool2d(Value* x, std::string_view module, int64_t kernel, int64_t stride, bool ceil_mode);
  Value* Linear(Value* x, std::string_view module, int64_t in, int64_t out);
  Value* Softmax(Value* x, std::string_view module, int64_t axis);
  Value* Permute(Value* x, std::string_view name, std::vector<int64_t> order);
  Value* Flatten(Value* x, std::string_view name);  // all axes but the first
  void Output(Value* value, std::string_view name);

  // Finds the state dict in the checkpoint (whatever it is nested under and prefixed with), puts its tensors in as
  // float32, infers shapes and returns the graph. INVALID_ARGUMENT naming every key that is missing, unexpected or of
  // the wrong shape.
  absl::StatusOr<std::unique_ptr<Graph>> Fit(const Checkpoint& checkpoint);

 private:
  struct Weight {
    std::string key;
    std::vector<int64_t> shape;  // in the state dict
    std::vector<int64_t> form;   // in the graph: the same elements
    Value* value;
  };
  Value* AddWeight(std::string key, std::vector<int64_t> shape, std::vector<int64_t> form = {});
  Value* Add(OpKind kind, std::string_view module, std::vector<Value*> inputs, Attributes attributes = {});

  std::string architecture_;
  std::unique_ptr<Graph> graph_;
  std::vector<Weight> weights_;
};

}  // namespace slipway
