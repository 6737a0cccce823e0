// Inside WriteOnnx: how one node of the dialect, legalized forms included, is said in ONNX at a given opset.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/graph.h"
#include "convert/onnx_form/onnx.pb.h"

namespace slipway::onnx_form {

// The parts of a GraphProto under construction. Large tensors are only pointed to: the writer streams them.
class GraphForm {
 public:
  GraphForm(onnx::GraphProto& proto, std::set<std::string>& names, int opset)
      : proto_(proto), names_(names), opset_(opset) {}

  int opset() const { return opset_; }
  onnx::GraphProto& proto() { return proto_; }
  std::set<std::string>& names() { return names_; }

  // A name that no value has, made from `base`.
  std::string Fresh(std::string_view base);
  // A node's name, changed where another node of the graph has it: what one node was imported as has the one name.
  std::string NodeName(const std::string& name);
  onnx::NodeProto& Add(std::string_view op, const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs);
  // A small initializer of the expansion's own.
  std::string Constant(std::string_view base, const Tensor& tensor);

 private:
  onnx::GraphProto& proto_;
  std::set<std::string>& names_;
  std::map<std::string, int> node_names_;  // how often each was asked for
  int opset_;
};

// One node being written: its operands' names and its attributes, to be changed by its form.
struct NodeForm {
  const Node& node;
  GraphForm& graph;
  std::vector<std::string> inputs;  // "": left out
  std::vector<std::string> outputs;
  Attributes attributes;

  int opset() const { return graph.opset(); }
  // Makes constant input i the ints attribute `attribute` (the form before opset 13 or 18) and takes the input away.
  void InputToAttribute(size_t i, std::string_view attribute);
  void DropInput(size_t i);
};

// How a kind is written. `attributes` lists those it may have, space-separated, each "name", or "name@opset=default" when the op has
// it since that opset only: with another value than the default the model's opset is raised.
struct OpForm {
  OpKind kind;
  int min_opset;
  std::string_view attributes = "";
  int (*needs)(const Node&) = nullptr;  // a further minimum, by the node's form
  void (*lower)(NodeForm&) = nullptr;   // the dialect's form → the opset's
};

// nullptr if none.
const OpForm* FindForm(OpKind kind);
// The least opset that can say the node, its inner graphs included.
int NeededOpset(const Node& node);
// Adds the node to the graph: expanded, lowered, with its inner graphs.
absl::Status WriteNode(const Node& node, GraphForm& graph);
// Nodes, used constants, inputs and outputs. `large`, if given, receives the constants of 1 KiB and more instead of the proto.
absl::Status WriteGraph(const Graph& graph, GraphForm& form, std::span<const Value* const> extra_outputs,
                        std::vector<const Value*>* large);

// dims, data_type, name: all but the data.
void FillTensorHeader(const Tensor& tensor, std::string_view name, onnx::TensorProto& proto);
void FillTensor(const Tensor& tensor, std::string_view name, onnx::TensorProto& proto);

std::span<const OpForm> ConvForms();
std::span<const OpForm> PoolForms();
std::span<const OpForm> GemmForms();
std::span<const OpForm> NormalizationForms();
std::span<const OpForm> ActivationForms();
std::span<const OpForm> SoftmaxForms();
std::span<const OpForm> ElementwiseForms();
std::span<const OpForm> LogicForms();
std::span<const OpForm> ReduceForms();
std::span<const OpForm> ReshapeForms();
std::span<const OpForm> SliceForms();
std::span<const OpForm> GatherForms();
std::span<const OpForm> PadForms();
std::span<const OpForm> ResizeForms();
std::span<const OpForm> CastForms();
std::span<const OpForm> ShapeForms();
std::span<const OpForm> QuantizeForms();
std::span<const OpForm> RecurrentForms();
std::span<const OpForm> ControlFlowForms();

}  // namespace slipway::onnx_form
