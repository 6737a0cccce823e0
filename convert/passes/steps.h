// Writing a node as several, with shapes inferred on the way: for rules of this folder.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {

// Adds nodes before `node`. After an error every later call does nothing, and Become() tells it.
class Steps {
 public:
  Steps(Graph& graph, Node& node) : Steps(graph, node, node.output()->name) {}
  // For nodes whose first result may be left out.
  Steps(Graph& graph, Node& node, std::string name) : graph_(graph), node_(node), name_(std::move(name)) {}

  Value* Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    if (!failure_.ok()) return nullptr;
    auto added = AddInferred(graph_, kind, std::move(inputs), name_ + "/" + std::string(Name(kind)),
                             std::move(attributes), &node_);
    if (!added.ok()) {
      failure_ = added.status();
      return nullptr;
    }
    return (*added)->output();
  }
  Value* Constant(Tensor tensor) { return graph_.AddConstant(name_ + "/constant", std::move(tensor)); }
  Value* Ints(std::vector<int64_t> values) { return Constant(Tensor::Int64s(std::move(values))); }
  Value* Int(int64_t value) { return Constant(Tensor::From<int64_t>({}, {value})); }
  Value* Number(double value) { return Constant(Tensor::Scalar(static_cast<float>(value))); }
  Value* Cast(Value* value, DataType type) { return Op(OpKind::kCast, {value}, With("to", ElementTypeCode(type))); }
  // [begin, end) of one axis.
  Value* Slice(Value* value, int64_t axis, int64_t begin, int64_t end) {
    return Op(OpKind::kSlice, {value, Ints({begin}), Ints({end}), Ints({axis})});
  }
  Value* Reshape(Value* value, std::vector<int64_t> sizes) {
    return Op(OpKind::kReshape, {value, Ints(std::move(sizes))});
  }
  Value* Transpose(Value* value, std::vector<int64_t> perm) {
    return Op(OpKind::kTranspose, {value}, With("perm", std::move(perm)));
  }
  // The node itself becomes this op; its output keeps name and origin.
  absl::StatusOr<bool> Become(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    if (!failure_.ok()) return failure_;
    if (const absl::Status status = Rewrite(graph_, node_, kind, std::move(inputs), std::move(attributes));
        !status.ok())
      return status;
    return true;
  }
  // Values take the places and names of the node's results; the node is removed.
  absl::StatusOr<bool> Replace(const std::vector<std::pair<Value*, Value*>>& results) {
    if (!failure_.ok()) return failure_;
    std::vector<std::pair<Value*, std::string>> renames;
    for (const auto& [output, result] : results) {
      result->origin = output->origin;
      graph_.ReplaceUses(output, result);
      renames.emplace_back(result, output->name);
    }
    graph_.RemoveNode(&node_);
    for (const auto& [value, name] : renames) graph_.Rename(value, name);
    return true;
  }

  static Attributes With(std::string name, AttributeValue value) {
    Attributes attributes;
    attributes.Set(name, std::move(value));
    return attributes;
  }

 private:
  Graph& graph_;
  Node& node_;
  std::string name_;
  absl::Status failure_;
};

}  // namespace slipway
