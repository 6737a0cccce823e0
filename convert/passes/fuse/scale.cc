#include <cmath>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::fuse {
namespace {

bool IsWeighted(const Node& node) {
  return (node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose || node.kind == OpKind::kGemm) &&
         !node.attributes.Has("activation");
}

// The output channel of each weight element: elements are visited in order, a run of `inner` having one channel.
struct ChannelRuns {
  int64_t inner = 1;
  std::vector<int64_t> channels;  // of each run
};

ChannelRuns RunsOf(const Node& node, const Tensor& weight) {
  ChannelRuns runs;
  const std::vector<int64_t>& shape = weight.shape();
  if (node.kind == OpKind::kGemm) {
    const bool transposed = node.attributes.Int("transB", 0) != 0;
    runs.inner = transposed ? shape[1] : 1;
    for (int64_t i = 0; i < (transposed ? shape[0] : weight.size()); ++i)
      runs.channels.push_back(transposed ? i : i % shape[1]);
    return runs;
  }
  runs.inner = ElementCount({shape.begin() + (node.kind == OpKind::kConv ? 1 : 2), shape.end()});
  if (node.kind == OpKind::kConv) {
    for (int64_t i = 0; i < shape[0]; ++i) runs.channels.push_back(i);
    return runs;
  }
  const int64_t groups = std::max<int64_t>(1, node.attributes.Int("group", 1)), rows = shape[0] / groups;
  for (int64_t row = 0; row < shape[0]; ++row) {
    for (int64_t column = 0; column < shape[1]; ++column)
      runs.channels.push_back(row / std::max<int64_t>(1, rows) * shape[1] + column);
  }
  return runs;
}

Tensor Scaled(const Node& node, const Tensor& weight, const std::vector<double>& scale) {
  const ChannelRuns runs = RunsOf(node, weight);
  const Tensor source = weight.type() == DataType::kFloat64 ? weight : weight.Cast(DataType::kFloat32);
  auto [result, bytes] = Tensor::Allocate(source.type(), weight.shape());
  int64_t at = 0;
  for (int64_t channel : runs.channels) {
    for (int64_t i = 0; i < runs.inner; ++i, ++at) {
      if (source.type() == DataType::kFloat64) {
        const double value = source.At<double>(at) * scale[channel];
        std::memcpy(bytes.data() + at * sizeof(value), &value, sizeof(value));
      } else {
        const float value = static_cast<float>(source.At<float>(at) * scale[channel]);
        std::memcpy(bytes.data() + at * sizeof(value), &value, sizeof(value));
      }
    }
  }
  return result.Cast(weight.type());
}

// The numbers of `constant` a channel, when it broadcasts along the channel axis of data of rank `rank` alone.
std::optional<std::vector<double>> PerChannel(const Tensor& constant, int64_t rank, int64_t channel_axis,
                                              int64_t channels) {
  if (!IsFloat(constant.type()) || constant.rank() > rank) return std::nullopt;
  if (constant.size() == 1) return std::vector<double>(static_cast<size_t>(channels), constant.ToDoubles()[0]);
  const int64_t axis = channel_axis - (rank - constant.rank());
  if (axis < 0 || constant.shape()[axis] != channels || constant.size() != channels) return std::nullopt;
  return constant.ToDoubles();
}

class FuseChannelScaleRule final : public Rule {
 public:
  std::string_view name() const override { return "fuse-channel-scale"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const int constant = ConstantInput(node);
    if (constant < 0 || node.attributes.Has("activation")) return false;
    if (constant == 0 && (node.kind == OpKind::kDiv)) return false;
    Value* data = node.input(constant == 1 ? 0 : 1);
    if (data->producer == nullptr || !IsWeighted(*data->producer) ||
        SoleProducer(graph, data, data->producer->kind) == nullptr)
      return false;
    Node& weighted = *data->producer;
    const int64_t channels = OutputChannels(weighted), rank = data->rank();
    // A constant that broadcasts the data to more elements is no scale of its channels.
    if (channels < 0 || rank < 0 || !node.output()->shape || *node.output()->shape != *data->shape) return false;
    const int64_t channel_axis = weighted.kind == OpKind::kGemm ? 1 : ChannelAxis(weighted, rank);
    const auto numbers = PerChannel(*node.constant(constant), rank, channel_axis, channels);
    if (!numbers) return false;
    std::vector<double> scale(numbers->size(), 1), shift(numbers->size(), 0);
    for (size_t i = 0; i < numbers->size(); ++i) {
      const double number = (*numbers)[i];
      switch (node.kind) {
        case OpKind::kMul:
          scale[i] = number;
          break;
        case OpKind::kDiv:
          if (number == 0) return false;
          scale[i] = 1 / number;
          break;
        case OpKind::kAdd:
          shift[i] = number;
          break;
        default:
          scale[i] = constant == 1 ? 1 : -1;
          shift[i] = constant == 1 ? -number : number;
      }
      if (!std::isfinite(scale[i]) || !std::isfinite(shift[i])) return false;
    }
    return ScaleOutputs(graph, weighted, node, scale, shift);
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kMul, OpKind::kDiv, OpKind::kAdd, OpKind::kSub};
};

class FuseBatchNormRule final : public Rule {
 public:
  std::string_view name() const override { return "fuse-batch-norm"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    for (size_t i = 1; i < 5; ++i) {
      if (node.constant(i) == nullptr || !IsFloat(node.constant(i)->type())) return false;
    }
    const std::vector<double> gamma = node.constant(1)->ToDoubles(), beta = node.constant(2)->ToDoubles(),
                              mean = node.constant(3)->ToDoubles(), variance = node.constant(4)->ToDoubles();
    const size_t channels = gamma.size();
    if (beta.size() != channels || mean.size() != channels || variance.size() != channels) return false;
    const double epsilon = node.attributes.Float("epsilon", 1e-5f);
    std::vector<double> scale, shift;
    for (size_t i = 0; i < channels; ++i) {
      scale.push_back(gamma[i] / std::sqrt(variance[i] + epsilon));
      shift.push_back(beta[i] - mean[i] * scale.back());
      if (!std::isfinite(scale.back()) || !std::isfinite(shift.back())) return false;
    }
    Value* data = node.input(0);
    if (data->producer != nullptr && IsWeighted(*data->producer) &&
        SoleProducer(graph, data, data->producer->kind) != nullptr &&
        OutputChannels(*data->producer) == static_cast<int64_t>(channels)) {
      ASSIGN_OR_RETURN(const bool fused, ScaleOutputs(graph, *data->producer, node, scale, shift));
      if (fused) return true;
    }
    return Decompose(graph, node, scale, shift);
  }

 private:
  static absl::StatusOr<bool> Decompose(Graph& graph, Node& node, const std::vector<double>& scale,
                                        const std::vector<double>& shift) {
    Value* data = node.input(0);
    if (data->rank() < 2 || !IsFloat(data->type)) return false;
    const int64_t channel_axis = ChannelAxis(node, data->rank());
    std::vector<int64_t> shape(static_cast<size_t>(data->rank() - channel_axis), 1);
    shape[0] = static_cast<int64_t>(scale.size());
    const std::string name = node.output()->name;
    Value* scale_value = graph.AddConstant(name + "_scale", Tensor::From<double>(shape, scale).Cast(data->type));
    Value* shift_value = graph.AddConstant(name + "_shift", Tensor::From<double>(shape, shift).Cast(data->type));
    ASSIGN_OR_RETURN(Node* const scaled,
                     AddInferred(graph, OpKind::kMul, {data, scale_value}, name + "_scaled", {}, &node));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kAdd, {scaled->output(), shift_value}, {}));
    return true;
  }

  static constexpr OpKind kKinds[] = {OpKind::kBatchNormalization};
};

}  // namespace

int64_t OutputChannels(const Node& node) {
  const Tensor* weight = node.constant(1);
  if (weight == nullptr || weight->rank() < 2) return -1;
  switch (node.kind) {
    case OpKind::kConv:
      return weight->shape()[0];
    case OpKind::kConvTranspose:
      return weight->shape()[1] * node.attributes.Int("group", 1);
    case OpKind::kGemm:
      return weight->shape()[node.attributes.Int("transB", 0) != 0 ? 0 : 1];
    default:
      return -1;
  }
}

absl::StatusOr<bool> ScaleOutputs(Graph& graph, Node& node, Node& last, const std::vector<double>& scale,
                                  const std::vector<double>& shift) {
  const Tensor* weight = node.constant(1);
  if (weight == nullptr || !IsFloat(weight->type()) || weight->rank() < 2 ||
      (node.input(2) != nullptr && node.constant(2) == nullptr))
    return false;
  const size_t channels = scale.size();
  std::vector<double> bias(channels, 0);
  if (const Tensor* given = node.constant(2); given != nullptr) {
    // Gemm's C may also be a matrix, a number or a row of one.
    if (given->size() != 1 &&
        (given->size() != static_cast<int64_t>(channels) || given->shape().back() != static_cast<int64_t>(channels)))
      return false;
    const std::vector<double> values = given->ToDoubles();
    const double beta = node.kind == OpKind::kGemm ? node.attributes.Float("beta", 1) : 1;
    for (size_t i = 0; i < channels; ++i) bias[i] = beta * values[values.size() == 1 ? 0 : i];
  }
  bool scaled = false;
  for (size_t i = 0; i < channels; ++i) {
    bias[i] = bias[i] * scale[i] + shift[i];
    scaled |= scale[i] != 1;
  }
  const std::string name = last.output()->name;
  Value* weight_value = node.input(1);
  if (scaled) {
    weight_value = graph.AddConstant(weight_value->name + "_fused", Scaled(node, *weight, scale));
  }
  Value* bias_value = graph.AddConstant(
      name + "_bias", Tensor::From<double>({static_cast<int64_t>(channels)}, bias).Cast(weight->type()));
  Attributes attributes = node.attributes;
  attributes.Erase("beta");
  const std::string node_name = node.name;
  Value* data = node.input(0);
  const OpKind kind = node.kind;
  RETURN_IF_ERROR(Rewrite(graph, last, kind, {data, weight_value, bias_value}, std::move(attributes)));
  last.name = node_name;
  graph.RemoveNode(&node);
  return true;
}

std::unique_ptr<Rule> FuseChannelScale() { return std::make_unique<FuseChannelScaleRule>(); }
std::unique_ptr<Rule> FuseBatchNorm() { return std::make_unique<FuseBatchNormRule>(); }

}  // namespace slipway::fuse
