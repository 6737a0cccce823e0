// BatchNorm, InstanceNorm, GroupNorm, LayerNorm, RMSNorm, LRN.
#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

absl::Status CheckOneSample(const Node& node, std::initializer_list<size_t> constants) {
  for (const size_t i : constants) {
    if (node.input(i) != nullptr && node.constant(i) == nullptr)
      return Unsupported(node, "computed scales or statistics", "NCNN has them as weights");
  }
  if (!DropsBatch(*node.input(0)))
    return Unsupported(node, "a batch that is not 1", "an NCNN blob holds one sample: export with batch 1");
  return absl::OkStatus();
}

absl::Status CheckBatchNorm(const Node& node) { return CheckOneSample(node, {1, 2, 3, 4}); }
absl::Status EmitBatchNorm(const Node& node, Emitter& emitter) {
  return emitter.Layer("BatchNorm", node, {node.input(0)}, {node.output()},
                       {{0, node.constant(1)->size()}, {1, node.attributes.Float("epsilon", 1e-5f)}},
                       {Untagged(*node.constant(1)), Untagged(*node.constant(3)), Untagged(*node.constant(4)),
                        Untagged(*node.constant(2))});
}

absl::Status CheckInstanceNorm(const Node& node) {
  RETURN_IF_ERROR(CheckOneSample(node, {1, 2}));
  if (node.input(0)->rank() < 3) return Unsupported(node, "no spatial axes", "");
  return absl::OkStatus();
}
// The layer takes channels, height and width: a line of samples is an image of one row.
BlobUse AsImage(const Value* value) {
  Shape shape = BlobShape(*value);
  if (shape.size() == 2) shape.insert(shape.begin() + 1, 1);
  return {value, shape};
}
absl::Status EmitInstanceNorm(const Node& node, Emitter& emitter) {
  return emitter.Layer("InstanceNorm", node, {AsImage(node.input(0))}, {AsImage(node.output())},
                       {{0, node.constant(1)->size()}, {1, node.attributes.Float("epsilon", 1e-5f)}, {2, int64_t{1}}},
                       {Untagged(*node.constant(1)), Untagged(*node.constant(2))});
}

absl::Status CheckGroupNorm(const Node& node) {
  RETURN_IF_ERROR(CheckOneSample(node, {1, 2}));
  if (!(*node.input(0)->shape)[1].IsKnown() || node.constant(1)->size() != (*node.input(0)->shape)[1].value()) {
    return Unsupported(node, "scales that are not one a channel", "repeat each group's for its channels");
  }
  return absl::OkStatus();
}
absl::Status EmitGroupNorm(const Node& node, Emitter& emitter) {
  return emitter.Layer("GroupNorm", node, {AsImage(node.input(0))}, {AsImage(node.output())},
                       {{0, node.attributes.Int("num_groups", 1)},
                        {1, node.constant(1)->size()},
                        {2, node.attributes.Float("epsilon", 1e-5f)},
                        {3, int64_t{1}}},
                       {Untagged(*node.constant(1)), Untagged(*node.constant(2))});
}

// The normalised axes run together as a blob's rows.
struct Rows {
  Shape shape;
  int64_t size = 0;
};
absl::StatusOr<Rows> RowsOf(const Node& node) {
  const Shape& in = *node.input(0)->shape;
  const auto rank = static_cast<int64_t>(in.size());
  int64_t axis = node.attributes.Int("axis", -1);
  if (axis < 0) axis += rank;
  Dim outer = 1, inner = 1;
  for (int64_t i = 0; i < rank; ++i)
    (i < axis ? outer : inner) = (i < axis ? outer : inner) * in[static_cast<size_t>(i)];
  if (!inner.IsKnown()) return Unsupported(node, "normalised axes of unknown size", "fix the sizes with --shape");
  return Rows{{outer, inner}, inner.value()};
}
absl::Status CheckLayerNorm(const Node& node) {
  for (const size_t i : {1, 2}) {
    if (node.input(i) != nullptr && node.constant(i) == nullptr)
      return Unsupported(node, "computed scales", "NCNN has them as weights");
  }
  ASSIGN_OR_RETURN(const Rows rows, RowsOf(node));
  if (node.constant(1)->size() != rows.size || (node.constant(2) != nullptr && node.constant(2)->size() != rows.size)) {
    return Unsupported(node, "scales that are not one an element", "spread them over the normalised axes");
  }
  for (const auto& shape : {*node.input(0)->shape, *node.output()->shape}) {
    if (!IsStatic(shape) && static_cast<int64_t>(shape.size()) - 1 > 2)
      return Unsupported(node, "unknown sizes on more than two axes", "fix the sizes with --shape");
  }
  return absl::OkStatus();
}
absl::Status EmitLayerNorm(const Node& node, Emitter& emitter) {
  ASSIGN_OR_RETURN(const Rows rows, RowsOf(node));
  std::vector<Weights> weights = {Untagged(*node.constant(1))};
  const bool rms = node.kind == OpKind::kRMSNormalization;
  if (!rms) {
    weights.push_back(node.constant(2) != nullptr ? Untagged(*node.constant(2))
                                                  : Untagged(Tensor::Allocate(DataType::kFloat32, {rows.size}).first));
  }
  return emitter.Layer(
      rms ? "RMSNorm" : "LayerNorm", node, {{node.input(0), rows.shape}}, {{node.output(), rows.shape}},
      {{0, rows.size}, {1, node.attributes.Float("epsilon", 1e-5f)}, {2, int64_t{1}}}, std::move(weights));
}

absl::Status CheckLrn(const Node& node) {
  RETURN_IF_ERROR(CheckOneSample(node, {}));
  if (node.input(0)->rank() != 4) return Unsupported(node, "an input that is no image", "");
  if (node.attributes.Int("size", 1) % 2 == 0)
    return Unsupported(node, "a window of even size", "NCNN's LRN centres its window");
  return absl::OkStatus();
}
absl::Status EmitLrn(const Node& node, Emitter& emitter) {
  return emitter.Layer("LRN", node, {node.input(0)}, {node.output()},
                       {{0, int64_t{0}},
                        {1, node.attributes.Int("size", 1)},
                        {2, node.attributes.Float("alpha", 1e-4f)},
                        {3, node.attributes.Float("beta", 0.75f)},
                        {4, node.attributes.Float("bias", 1)}});
}

}  // namespace

std::span<const OpEmitter> NormalizationOps() {
  static constexpr OpEmitter kOps[] = {
      {OpKind::kBatchNormalization, CheckBatchNorm, EmitBatchNorm},
      {OpKind::kInstanceNormalization, CheckInstanceNorm, EmitInstanceNorm},
      {OpKind::kGroupNormalization, CheckGroupNorm, EmitGroupNorm},
      {OpKind::kLayerNormalization, CheckLayerNorm, EmitLayerNorm},
      {OpKind::kRMSNormalization, CheckLayerNorm, EmitLayerNorm},
      {OpKind::kLRN, CheckLrn, EmitLrn},
  };
  return kOps;
}

}  // namespace slipway::ncnn
