// --mean, --std, --scale and --softmax.
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "convert/import/edits.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

constexpr size_t kChannelAxis = 1;

double At(const std::vector<double>& values, size_t channel, double absent) {
  if (values.empty()) return absent;
  return values.size() == 1 ? values[0] : values[channel];
}

std::string Listed(const std::vector<Value*>& values) {
  std::vector<std::string> names;
  for (const Value* value : values) {
    names.push_back(fmt::format("'{}' {} {}", value->name, Name(value->type),
                                value->shape ? ToString(*value->shape) : std::string("of unknown rank")));
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

absl::StatusOr<Value*> ImageInput(const Graph& graph) {
  std::vector<Value*> images;
  for (Value* input : graph.inputs()) {
    if (input->rank() == 4 && IsFloat(input->type)) images.push_back(input);
  }
  if (images.size() == 1) return images[0];
  return InvalidArgument(
      "--mean, --std and --scale need exactly one input that can be an image (floats of rank 4); the inputs are: {}",
      Listed(graph.inputs()));
}

absl::Status NormalizeImage(Graph& graph, const InterfaceOptions& options) {
  ASSIGN_OR_RETURN(Value * image, ImageInput(graph));
  const size_t count = std::max({options.mean.size(), options.std.size(), size_t{1}});
  const Dim& channels = (*image->shape)[kChannelAxis];
  for (const auto& [flag, values] : {std::pair("mean", &options.mean), std::pair("std", &options.std)}) {
    if (values->size() <= 1) continue;
    if (!channels.IsKnown() || std::cmp_not_equal(values->size(), channels.value())) {
      return InvalidArgument("--{} gives {} values; the input '{}' {} has {} channels on axis 1", flag, values->size(),
                             image->name, ToString(*image->shape), channels.ToString());
    }
  }
  // (x × scale − mean) ÷ std as x × factor + offset, a channel each.
  std::vector<double> factors, offsets;
  for (size_t channel = 0; channel < count; ++channel) {
    const double deviation = At(options.std, channel, 1);
    factors.push_back(options.scale.value_or(1) / deviation);
    offsets.push_back(-At(options.mean, channel, 0) / deviation);
  }
  const std::vector<int64_t> shape = {1, static_cast<int64_t>(count), 1, 1};
  const std::string name = image->name;
  Node* const first = graph.nodes().empty() ? nullptr : graph.nodes().front().get();
  Value* normalized = image;
  Node* reader = nullptr;
  const auto apply = [&](OpKind kind, const std::vector<double>& operand, double neutral, std::string_view what,
                         std::string_view result) -> absl::Status {
    if (std::ranges::all_of(operand, [&](double value) { return value == neutral; })) return absl::OkStatus();
    Value* constant =
        graph.AddConstant(fmt::format("{}/{}", name, what), Tensor::From<double>(shape, operand).Cast(image->type));
    ASSIGN_OR_RETURN(Node * node,
                     AddInferred(graph, kind, {normalized, constant}, fmt::format("{}/{}", name, result), {}, first));
    node->output()->origin = Origin{.source = node->output()->name};
    if (reader == nullptr) reader = node;
    normalized = node->output();
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(apply(OpKind::kMul, factors, 1, "scale", "scaled"));
  RETURN_IF_ERROR(apply(OpKind::kAdd, offsets, 0, "offset", "normalized"));
  if (reader == nullptr) return absl::OkStatus();
  graph.ReplaceUses(image, normalized);
  graph.SetInput(reader, 0, image);
  return absl::OkStatus();
}

absl::Status AppendSoftmax(Graph& graph, std::vector<std::string>& warnings) {
  if (graph.outputs().size() != 1)
    return InvalidArgument("--softmax needs a model of one output; the outputs are: {}", Listed(graph.outputs()));
  Value* output = graph.outputs()[0];
  if (!IsFloat(output->type) && output->type != DataType::kUndefined)
    return InvalidArgument("--softmax: the output '{}' is {}, not float", output->name, Name(output->type));
  if (ProducerOf(output, OpKind::kSoftmax) != nullptr) {
    warnings.push_back(
        fmt::format("--softmax: '{}' is the result of a softmax already; no other was added", output->name));
    return absl::OkStatus();
  }
  Attributes attributes;
  attributes.Set("axis", int64_t{-1});
  ASSIGN_OR_RETURN(Node * node, AddInferred(graph, OpKind::kSoftmax, {output}, output->name + "/softmax", attributes));
  node->output()->origin = Origin{.source = node->output()->name};
  graph.ReplaceOutput(0, node->output());
  return absl::OkStatus();
}

}  // namespace slipway
