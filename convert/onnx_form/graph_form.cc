// A graph's inputs, constants, nodes and outputs as a GraphProto.
#include <algorithm>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr size_t kStreamedBytes = 1024;

void FillType(const Value& value, onnx::ValueInfoProto& info) {
  info.set_name(value.name);
  if (value.type == DataType::kUndefined) return;
  onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(static_cast<int32_t>(ElementTypeCode(value.type)));
  if (!value.shape) return;
  onnx::TensorShapeProto& shape = *type.mutable_shape();
  for (const Dim& size : *value.shape) {
    onnx::TensorShapeProto::Dimension& dim = *shape.add_dim();
    if (size.IsKnown()) {
      dim.set_dim_value(size.value());
      continue;
    }
    // A size that the model does not name stays without a name.
    const std::string text = size.ToString();
    if (text.find('?') == std::string::npos) dim.set_dim_param(text);
  }
}

bool IsRead(const Value& value, const Graph& graph) { return !value.uses.empty() || graph.IsOutput(&value); }

}  // namespace

std::string GraphForm::NodeName(const std::string& name) {
  if (name.empty()) return name;
  int& count = node_names_[name];
  if (++count == 1) return name;
  for (;; ++count) {
    std::string other = fmt::format("{}_{}", name, count);
    if (node_names_.emplace(other, 1).second) return other;
  }
}

void FillTensorHeader(const Tensor& tensor, std::string_view name, onnx::TensorProto& proto) {
  for (int64_t size : tensor.shape()) proto.add_dims(size);
  proto.set_data_type(static_cast<int32_t>(ElementTypeCode(tensor.type())));
  proto.set_name(std::string(name));
}

void FillTensor(const Tensor& tensor, std::string_view name, onnx::TensorProto& proto) {
  FillTensorHeader(tensor, name, proto);
  if (tensor.type() == DataType::kString) {
    for (const std::string& text : tensor.strings()) proto.add_string_data(text);
    return;
  }
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

absl::Status WriteGraph(const Graph& graph, GraphForm& form, std::span<const Value* const> extra_outputs,
                        std::vector<const Value*>* large) {
  onnx::GraphProto& proto = form.proto();
  proto.set_name(graph.name.empty() ? "graph" : graph.name);
  for (const Value* input : graph.inputs()) FillType(*input, *proto.add_input());
  for (const Value* value : graph.values()) {
    if (!value->constant ||
        (!IsRead(*value, graph) && std::find(extra_outputs.begin(), extra_outputs.end(), value) == extra_outputs.end()))
      continue;
    const Tensor& tensor = *value->constant;
    if (large != nullptr && tensor.type() != DataType::kString && tensor.bytes().size() >= kStreamedBytes) {
      large->push_back(value);
    } else {
      FillTensor(tensor, value->name, *proto.add_initializer());
    }
  }
  for (const auto& node : graph.nodes()) RETURN_IF_ERROR(WriteNode(*node, form));
  for (const Value* output : graph.outputs()) FillType(*output, *proto.add_output());
  for (const Value* output : extra_outputs) {
    if (!graph.IsOutput(output)) FillType(*output, *proto.add_output());
  }
  return absl::OkStatus();
}

}  // namespace slipway::onnx_form
