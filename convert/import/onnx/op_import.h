// How one ONNX node becomes nodes of the dialect.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/base/error.h"
#include "convert/ir/graph.h"

namespace slipway::onnx_import {

class NameSource {
 public:
  virtual ~NameSource() = default;
  // A value name that the model does not use, made from `base`.
  virtual std::string Fresh(std::string_view base) = 0;
};

// One node being imported: what it says, and what its import adds to the graph.
class OpContext {
 public:
  OpContext(Graph& graph, NameSource& names, OpKind kind, int64_t opset)
      : graph(graph), kind(kind), opset(opset), names_(names) {}

  Graph& graph;
  OpKind kind;                            // of the registry's row
  int64_t opset;                          // of the node's domain
  std::vector<Value*> inputs;             // nullptr: left out; never trailing
  std::vector<std::string> output_names;  // "": left out; never trailing
  Attributes attributes;
  std::vector<Value*> results;  // to be set: one an output name, nullptr where left out

  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  bool WantsOutput(size_t i) const { return i < output_names.size() && !output_names[i].empty(); }

  // The node itself: its outputs are the results.
  void Emit(OpKind op, std::vector<Value*> op_inputs, Attributes op_attributes = {});
  // The same with the attributes and inputs as they now stand.
  void Emit() { Emit(kind, inputs, attributes); }
  // Makes output i this op's; for imports that give their outputs one by one.
  void EmitOutput(size_t i, OpKind op, std::vector<Value*> op_inputs, Attributes op_attributes = {});
  // A helper in between; its output's name is made up.
  Value* Make(OpKind op, std::vector<Value*> op_inputs, Attributes op_attributes = {});
  Value* Constant(std::string_view what, Tensor tensor);
  // Sets input i, filling the gap with left-out inputs.
  void SetInput(size_t i, Value* value);
  // Moves an ints attribute to an int64 input (axes, pads, split …). Nothing when the attribute is absent.
  void AttributeToInput(std::string_view attribute, size_t i);

 private:
  NameSource& names_;
};

struct OpImport {
  std::string_view name;  // ONNX's
  OpKind kind;
  absl::Status (*import)(OpContext&) = nullptr;  // nullptr: the node says the same in the dialect
  int min_inputs = -2;                           // -2: as the dialect's op; max -1: variadic
  int max_inputs = -2;
  std::string_view domain = "";
};

// nullptr if there is none.
const OpImport* FindOpImport(std::string_view domain, std::string_view name);

// The families, each in ops/<family>.cc.
std::span<const OpImport> ConvOps();
std::span<const OpImport> PoolOps();
std::span<const OpImport> GemmOps();
std::span<const OpImport> NormalizationOps();
std::span<const OpImport> ActivationOps();
std::span<const OpImport> SoftmaxOps();
std::span<const OpImport> ElementwiseOps();
std::span<const OpImport> LogicOps();
std::span<const OpImport> ReduceOps();
std::span<const OpImport> ReshapeOps();
std::span<const OpImport> SliceOps();
std::span<const OpImport> GatherOps();
std::span<const OpImport> PadOps();
std::span<const OpImport> ResizeOps();
std::span<const OpImport> CastOps();
std::span<const OpImport> ShapeOps();
std::span<const OpImport> QuantizeOps();
std::span<const OpImport> RecurrentOps();
std::span<const OpImport> ControlFlowOps();

}  // namespace slipway::onnx_import
