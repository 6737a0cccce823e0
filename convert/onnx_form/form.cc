#include "convert/onnx_form/form.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/onnx_form/onnx_form.h"

namespace slipway::onnx_form {
namespace {

struct AttributeRule {
  std::string_view name;
  int since = 1;
  std::string_view fallback;
};

AttributeRule ParseRule(std::string_view text) {
  AttributeRule rule{text};
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return rule;
  const size_t equals = text.find('=');
  rule.name = text.substr(0, at);
  rule.fallback = text.substr(equals + 1);
  std::from_chars(text.data() + at + 1, text.data() + equals, rule.since);
  return rule;
}

template <typename Visit>
void ForEachRule(std::string_view attributes, Visit visit) {
  while (!attributes.empty()) {
    const size_t space = std::min(attributes.find(' '), attributes.size());
    if (space > 0) visit(ParseRule(attributes.substr(0, space)));
    attributes.remove_prefix(std::min(space + 1, attributes.size()));
  }
}

bool IsDefault(const AttributeValue& value, std::string_view fallback) {
  if (const auto* i = std::get_if<int64_t>(&value)) return std::to_string(*i) == fallback;
  if (const auto* s = std::get_if<std::string>(&value)) return *s == fallback;
  if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) {
    return std::all_of(ints->begin(), ints->end(), [&](int64_t i) { return std::to_string(i) == fallback; });
  }
  return false;
}

absl::Status FillAttribute(std::string_view name, const AttributeValue& value, GraphForm& graph,
                           onnx::AttributeProto& proto) {
  using P = onnx::AttributeProto;
  proto.set_name(std::string(name));
  if (const auto* i = std::get_if<int64_t>(&value)) {
    proto.set_type(P::INT);
    proto.set_i(*i);
  } else if (const auto* f = std::get_if<float>(&value)) {
    proto.set_type(P::FLOAT);
    proto.set_f(*f);
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    proto.set_type(P::STRING);
    proto.set_s(*s);
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) {
    proto.set_type(P::INTS);
    proto.mutable_ints()->Add(ints->begin(), ints->end());
  } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
    proto.set_type(P::FLOATS);
    proto.mutable_floats()->Add(floats->begin(), floats->end());
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&value)) {
    proto.set_type(P::STRINGS);
    for (const std::string& each : *strings) proto.add_strings(each);
  } else if (const auto* tensor = std::get_if<Tensor>(&value)) {
    proto.set_type(P::TENSOR);
    FillTensor(*tensor, "", *proto.mutable_t());
  } else if (const auto* inner = std::get_if<std::shared_ptr<Graph>>(&value)) {
    proto.set_type(P::GRAPH);
    GraphForm form(*proto.mutable_g(), graph.names(), graph.opset());
    RETURN_IF_ERROR(WriteGraph(**inner, form, {}, nullptr));
  }
  return absl::OkStatus();
}

bool IsChannelsLast(const Node& node) { return node.attributes.String("data_layout", "NCHW") == "NHWC"; }

// Transpose between channels-last and channels-first around an op that ONNX has for the latter only.
std::string AddTranspose(GraphForm& graph, const std::string& input, const std::string& output, int64_t rank,
                         bool to_channels_first) {
  onnx::NodeProto& transpose = graph.Add("Transpose", {input}, {output});
  onnx::AttributeProto& perm = *transpose.add_attribute();
  perm.set_name("perm");
  perm.set_type(onnx::AttributeProto::INTS);
  perm.add_ints(0);
  if (to_channels_first) perm.add_ints(rank - 1);
  for (int64_t i = 1; i < rank - 1; ++i) perm.add_ints(to_channels_first ? i : i + 1);
  if (!to_channels_first) perm.add_ints(1);
  return output;
}

void AddActivation(NodeForm& form, const std::string& input, const std::string& output) {
  const std::string activation = form.node.attributes.String("activation", "");
  if (activation == "Relu") {
    form.graph.Add("Relu", {input}, {output});
    return;
  }
  const float low = form.node.attributes.Float("activation_min", 0);
  const float high = form.node.attributes.Float("activation_max", 6);
  if (form.opset() >= 11) {
    form.graph.Add("Clip",
                   {input, form.graph.Constant(output + "_min", Tensor::Scalar(low)),
                    form.graph.Constant(output + "_max", Tensor::Scalar(high))},
                   {output});
    return;
  }
  onnx::NodeProto& clip = form.graph.Add("Clip", {input}, {output});
  for (const auto& [name, bound] : {std::pair{"min", low}, {"max", high}}) {
    onnx::AttributeProto& attribute = *clip.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::FLOAT);
    attribute.set_f(bound);
  }
}

}  // namespace

std::string GraphForm::Fresh(std::string_view base) {
  std::string name(base);
  for (int i = 1; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", base, i);
  return name;
}

onnx::NodeProto& GraphForm::Add(std::string_view op, const std::vector<std::string>& inputs,
                                const std::vector<std::string>& outputs) {
  onnx::NodeProto& node = *proto_.add_node();
  node.set_op_type(std::string(op));
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  return node;
}

std::string GraphForm::Constant(std::string_view base, const Tensor& tensor) {
  std::string name = Fresh(base);
  FillTensor(tensor, name, *proto_.add_initializer());
  return name;
}

void NodeForm::DropInput(size_t i) {
  if (i < inputs.size()) inputs[i].clear();
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
}

void NodeForm::InputToAttribute(size_t i, std::string_view attribute) {
  if (const Tensor* tensor = node.constant(i); tensor != nullptr) attributes.Set(attribute, tensor->ToInt64s());
  DropInput(i);
}

const OpForm* FindForm(OpKind kind) {
  static const auto table = [] {
    std::array<const OpForm*, static_cast<size_t>(OpKind::kCount)> rows{};
    for (const auto family :
         {ConvForms(), PoolForms(), GemmForms(), NormalizationForms(), ActivationForms(), SoftmaxForms(),
          ElementwiseForms(), LogicForms(), ReduceForms(), ReshapeForms(), SliceForms(), GatherForms(), PadForms(),
          ResizeForms(), CastForms(), ShapeForms(), QuantizeForms(), RecurrentForms(), ControlFlowForms()}) {
      for (const OpForm& row : family) rows[static_cast<size_t>(row.kind)] = &row;
    }
    return rows;
  }();
  return table[static_cast<size_t>(kind)];
}

int NeededOpset(const Node& node) {
  const OpForm* form = FindForm(node.kind);
  if (form == nullptr) return 0;
  int needed = form->min_opset;
  ForEachRule(form->attributes, [&](const AttributeRule& rule) {
    const auto found = node.attributes.all().find(rule.name);
    if (found != node.attributes.all().end() && !IsDefault(found->second, rule.fallback))
      needed = std::max(needed, rule.since);
  });
  if (form->needs != nullptr) needed = std::max(needed, form->needs(node));
  for (const auto& [name, value] : node.attributes.all()) {
    const auto* inner = std::get_if<std::shared_ptr<Graph>>(&value);
    if (inner == nullptr) continue;
    for (const auto& child : (*inner)->nodes()) needed = std::max(needed, NeededOpset(*child));
  }
  return needed;
}

absl::Status WriteNode(const Node& node, GraphForm& graph) {
  RETURN_IF_ERROR(CheckOnnxForm(node));
  const OpForm& op = *FindForm(node.kind);
  NodeForm form{node, graph, {}, {}, node.attributes};
  for (const Value* input : node.inputs) form.inputs.push_back(input == nullptr ? std::string() : input->name);
  for (const Value* output : node.outputs) form.outputs.push_back(output == nullptr ? std::string() : output->name);

  const bool channels_last = IsChannelsLast(node);
  const bool activated = !node.attributes.String("activation", "").empty();
  if (channels_last) {
    form.inputs[0] =
        AddTranspose(graph, form.inputs[0], graph.Fresh(form.inputs[0] + "_nchw"), node.input(0)->rank(), true);
  }
  const std::vector<std::string> final_outputs = form.outputs;
  if (channels_last || activated) {
    for (std::string& output : form.outputs) {
      if (!output.empty()) output = graph.Fresh(output + (channels_last ? "_nchw" : "_linear"));
    }
  }
  if (op.lower != nullptr) op.lower(form);
  while (!form.outputs.empty() && form.outputs.back().empty()) form.outputs.pop_back();
  onnx::NodeProto& proto = graph.Add(Name(node.kind), form.inputs, form.outputs);
  proto.set_name(graph.NodeName(node.name));
  absl::Status status;
  ForEachRule(op.attributes, [&](const AttributeRule& rule) {
    const auto found = form.attributes.all().find(rule.name);
    if (found == form.attributes.all().end() || !status.ok()) return;
    if (rule.since <= graph.opset()) status = FillAttribute(rule.name, found->second, graph, *proto.add_attribute());
  });
  RETURN_IF_ERROR(status);

  if (!channels_last && !activated) return absl::OkStatus();
  for (size_t i = 0; i < form.outputs.size(); ++i) {
    if (form.outputs[i].empty()) continue;
    std::string last = form.outputs[i];
    if (activated && i == 0) {
      const std::string active = channels_last ? graph.Fresh(final_outputs[i] + "_active") : final_outputs[i];
      AddActivation(form, last, active);
      last = active;
    }
    if (channels_last) AddTranspose(graph, last, final_outputs[i], node.input(0)->rank(), false);
  }
  return absl::OkStatus();
}

}  // namespace slipway::onnx_form

namespace slipway {

absl::Status CheckOnnxForm(const Node& node) {
  if (onnx_form::FindForm(node.kind) == nullptr) {
    return Unimplemented("{}: ONNX has no such op; it must be legalized first", Describe(node));
  }
  const std::string layout = node.attributes.String("data_layout", "NCHW");
  if (layout == "NHWC" && (node.input(0) == nullptr || node.input(0)->rank() < 3)) {
    return Unimplemented("{}: channels-last data of an unknown rank; give the input's size with --shape",
                         Describe(node));
  }
  const std::string activation = node.attributes.String("activation", "");
  if (!activation.empty() && activation != "Relu" && activation != "Clip") {
    return Unimplemented("{}: ONNX form has no fused activation '{}'; fuse only Relu or Clip", Describe(node),
                         activation);
  }
  const int needed = onnx_form::NeededOpset(node);
  if (needed > kMaxOpset)
    return Unimplemented("{}: needs opset {}; the newest written is {}", Describe(node), needed, kMaxOpset);
  for (const auto& [name, value] : node.attributes.all()) {
    const auto* inner = std::get_if<std::shared_ptr<Graph>>(&value);
    if (inner == nullptr) continue;
    for (const auto& child : (*inner)->nodes()) RETURN_IF_ERROR(CheckOnnxForm(*child));
  }
  return absl::OkStatus();
}

}  // namespace slipway
