// Writing the replacement of a node: nodes in front of it, then its output handed over.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/error.h"
#include "convert/passes/pass.h"
#include "convert/passes/shapes.h"

namespace slipway::coreml_writer {

// Adds nodes before `node`; the first failure is kept and given by Replace().
class Builder {
 public:
  Builder(Graph& graph, Node& node) : graph_(graph), node_(node) {}

  Value* Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    if (!first_error_.ok()) return nullptr;
    auto added = AddInferred(graph_, kind, std::move(inputs), node_.outputs[0]->name + "_" + std::string(Name(kind)),
                             std::move(attributes), &node_);
    if (!added.ok()) {
      first_error_ = added.status();
      return nullptr;
    }
    (*added)->name = node_.name;
    return (*added)->outputs[0];
  }
  Value* Add(Value* a, Value* b) { return Op(OpKind::kAdd, {a, b}); }
  Value* Sub(Value* a, Value* b) { return Op(OpKind::kSub, {a, b}); }
  Value* Mul(Value* a, Value* b) { return Op(OpKind::kMul, {a, b}); }
  Value* Div(Value* a, Value* b) { return Op(OpKind::kDiv, {a, b}); }
  Value* Mean(Value* x, const std::vector<int64_t>& axes) {
    return Op(OpKind::kReduceMean, {x, Constant(Tensor::Int64s(axes))});
  }
  Value* Reshape(Value* x, const std::vector<int64_t>& sizes) {
    return Op(OpKind::kReshape, {x, Constant(Tensor::Int64s(sizes))});
  }
  Value* Constant(Tensor tensor) { return graph_.AddConstant(node_.outputs[0]->name + "_constant", std::move(tensor)); }
  // In the element type of the node's first input.
  Value* Number(double value) { return Constant(Tensor::From<double>({}, {value}).Cast(node_.inputs[0]->type)); }

  const absl::Status& status() const { return first_error_; }
  // `result` takes the node's place, name and origin. The node is removed.
  absl::StatusOr<bool> Replace(Value* result);

 private:
  Graph& graph_;
  Node& node_;
  absl::Status first_error_;
};

// A rule of one function.
class FunctionRule final : public Rule {
 public:
  using Function = absl::StatusOr<bool> (*)(Graph&, Node&);
  FunctionRule(std::string_view name, std::vector<OpKind> kinds, Function apply)
      : name_(name), kinds_(std::move(kinds)), apply_(apply) {}
  std::string_view name() const override { return name_; }
  std::span<const OpKind> kinds() const override { return kinds_; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override { return apply_(graph, node); }

 private:
  std::string_view name_;
  std::vector<OpKind> kinds_;
  Function apply_;
};

}  // namespace slipway::coreml_writer
