#include "convert/import/edits.h"

#include <fmt/ranges.h>

#include <utility>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/passes.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

const std::vector<int64_t> kToChannelsLast = {0, 2, 3, 1}, kToChannelsFirst = {0, 3, 1, 2};

void NoteOrigin(Value* value) {
  if (!value->origin.known()) value->origin = Origin{.source = value->name};
}

absl::Status RenameAll(Graph& graph, const std::vector<Value*>& values, const std::vector<std::string>& names,
                       std::string_view what) {
  if (names.size() > values.size()) {
    return InvalidArgument("--{}-name gives {} names, the model has {} {}{}", what, names.size(), values.size(), what,
                           values.size() == 1 ? "" : "s");
  }
  // First out of the way, all of them: names may be exchanged.
  for (size_t i = 0; i < names.size(); ++i) {
    if (what == "output" && values[i]->producer == nullptr)
      return InvalidArgument("output '{}' is an input or a constant as it stands: it cannot be renamed",
                             values[i]->name);
    NoteOrigin(values[i]);
    if (values[i]->name != names[i]) graph.Rename(values[i], values[i]->name + "/source");
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (values[i]->name == names[i]) continue;
    if (Value* taken = graph.Find(names[i]); taken != nullptr) {
      const bool interface = graph.IsOutput(taken) || (taken->producer == nullptr && !taken->IsConstant());
      if (interface) return InvalidArgument("--{}-name: another input or output is named '{}'", what, names[i]);
      graph.Rename(taken, names[i] + "/inner");
    }
    graph.Rename(values[i], names[i]);
  }
  return absl::OkStatus();
}

// A new input in the place of `input`, which goes; its readers read what `adapt` makes of the new one.
template <typename Adapt>
absl::Status ReplaceInput(Graph& graph, Value* input, Shape shape, Origin origin, Adapt adapt) {
  const std::string name = input->name;
  graph.Rename(input, name + "/nchw");
  Value* fresh = graph.AddInput(name, input->type, std::move(shape));
  fresh->origin = std::move(origin);
  ASSIGN_OR_RETURN(Value * adapted, adapt(fresh));
  graph.ReplaceUses(input, adapted);
  graph.RemoveInput(input);
  return absl::OkStatus();
}

Attributes PermAttribute(const std::vector<int64_t>& perm) {
  Attributes attributes;
  attributes.Set("perm", perm);
  return attributes;
}

std::vector<int64_t> ComposedOrigin(const Origin& origin, const std::vector<int64_t>& perm) {
  return origin.permutation.empty() ? perm : Compose(origin.permutation, perm);
}

}  // namespace

absl::Status EditInterface(std::unique_ptr<Graph>& graph, const InterfaceOptions& options,
                           std::vector<std::string>& warnings) {
  RETURN_IF_ERROR(FixAndCut(graph, options));
  return WrapInterface(*graph, options, warnings);
}

absl::Status FixAndCut(std::unique_ptr<Graph>& graph, const InterfaceOptions& options, const DeclaredTypes& declared) {
  RETURN_IF_ERROR(FixInputs(*graph, options));
  RETURN_IF_ERROR(MakeInferShapes()->Run(*graph).status());
  return CutGraph(graph, options, declared);
}

absl::Status WrapInterface(Graph& graph, const InterfaceOptions& options, std::vector<std::string>& warnings) {
  if (options.Normalizes()) RETURN_IF_ERROR(NormalizeImage(graph, options));
  return options.softmax ? AppendSoftmax(graph, warnings) : absl::OkStatus();
}

absl::Status RenameInterface(Graph& graph, const InterfaceOptions& options) {
  RETURN_IF_ERROR(RenameAll(graph, graph.inputs(), options.input_names, "input"));
  return RenameAll(graph, graph.outputs(), options.output_names, "output");
}

std::string EditingFlags(const InterfaceOptions& options) {
  const std::pair<bool, std::string_view> flags[] = {
      {!options.fix.empty(), "--fix"},
      {!options.cut_inputs.empty(), "--cut-inputs"},
      {!options.cut_outputs.empty(), "--cut-outputs"},
      {options.scale.has_value(), "--scale"},
      {!options.mean.empty(), "--mean"},
      {!options.std.empty(), "--std"},
      {options.softmax, "--softmax"},
      {!options.input_names.empty(), "--input-name"},
      {!options.output_names.empty(), "--output-name"},
  };
  std::vector<std::string_view> given;
  for (const auto& [is_given, name] : flags) {
    if (is_given) given.push_back(name);
  }
  return fmt::format("{}", fmt::join(given, ", "));
}

absl::StatusOr<size_t> LabelledOutput(const Graph& graph, size_t count) {
  std::vector<size_t> fitting;
  std::vector<std::string> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Value& output = *graph.outputs()[i];
    outputs.push_back(fmt::format("'{}' {}", output.name, output.shape ? ToString(*output.shape) : "of unknown shape"));
    if (!output.shape || output.shape->empty()) continue;
    const Dim& classes = output.shape->back();
    if (classes.IsKnown() && std::cmp_equal(classes.value(), count)) fitting.push_back(i);
  }
  if (fitting.size() == 1) return fitting.front();
  return InvalidArgument("--labels names {} classes; {} output has as many: {}", count,
                         fitting.empty() ? "no" : "more than one", fmt::join(outputs, ", "));
}

absl::Status MakeInterfaceChannelsLast(Graph& graph) {
  // Replaced all and in order: that keeps the order.
  const std::vector<Value*> inputs = graph.inputs();
  Node* first = graph.nodes().empty() ? nullptr : graph.nodes().front().get();
  for (Value* input : inputs) {
    NoteOrigin(input);
    const auto same = [](Value* fresh) -> absl::StatusOr<Value*> { return fresh; };
    if (input->rank() != 4) {
      RETURN_IF_ERROR(ReplaceInput(graph, input, input->shape.value_or(Shape{}), input->origin, same));
      continue;
    }
    Shape shape;
    for (const int64_t axis : kToChannelsLast) shape.push_back((*input->shape)[static_cast<size_t>(axis)]);
    Origin origin = input->origin;
    origin.permutation = ComposedOrigin(origin, kToChannelsLast);
    const Origin inner = input->origin;
    const auto transposed = [&](Value* fresh) -> absl::StatusOr<Value*> {
      ASSIGN_OR_RETURN(Node * node, AddInferred(graph, OpKind::kTranspose, {fresh}, fresh->name + "/first",
                                                PermAttribute(kToChannelsFirst), first));
      node->output()->origin = inner;
      return node->output();
    };
    RETURN_IF_ERROR(ReplaceInput(graph, input, std::move(shape), std::move(origin), transposed));
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    Value* output = graph.outputs()[i];
    if (output->rank() != 4) continue;
    NoteOrigin(output);
    const std::string name = output->name;
    const bool is_input = output->producer == nullptr;
    if (!is_input) graph.Rename(output, name + "/first");
    ASSIGN_OR_RETURN(Node * node, AddInferred(graph, OpKind::kTranspose, {output}, is_input ? name + "/last" : name,
                                              PermAttribute(kToChannelsLast)));
    node->output()->origin = output->origin;
    node->output()->origin.permutation = ComposedOrigin(output->origin, kToChannelsLast);
    graph.ReplaceOutput(i, node->output());
  }
  return absl::OkStatus();
}

}  // namespace slipway
