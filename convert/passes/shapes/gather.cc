// Gather, Scatter, OneHot, NonZero, Compress: what indices choose.
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferGather(Inference& in) {
  if (!in.HasShape(0) || !in.HasShape(1)) return in.Unranked();
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", 0), in.rank(0)));
  Shape out(in.shape(0).begin(), in.shape(0).begin() + axis);
  out.insert(out.end(), in.shape(1).begin(), in.shape(1).end());
  out.insert(out.end(), in.shape(0).begin() + axis + 1, in.shape(0).end());
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferGatherElements(Inference& in) {
  if (!in.HasShape(1)) return in.Unranked();
  return in.Set(0, in.type(0), in.shape(1));
}

absl::Status InferGatherNd(Inference& in) {
  if (!in.HasShape(0) || !in.HasShape(1) || in.rank(1) == 0 || !in.shape(1).back().IsKnown()) return in.Unranked();
  const int64_t batch = in.node.attributes.Int("batch_dims", 0);
  const int64_t depth = in.shape(1).back().value();
  if (batch < 0 || batch >= in.rank(1) || depth < 0 || batch + depth > in.rank(0)) {
    return in.Error("indices of shape {} with batch_dims {} do not index data of shape {}", ToString(in.shape(1)),
                    batch, ToString(in.shape(0)));
  }
  Shape out(in.shape(1).begin(), in.shape(1).end() - 1);
  out.insert(out.end(), in.shape(0).begin() + batch + depth, in.shape(0).end());
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status LikeData(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  return in.Set(0, in.type(0), in.shape(0));
}

absl::Status InferOneHot(Inference& in) {
  if (!in.HasShape(0)) return in.SetUnranked(0, in.type(2));
  const int64_t rank = in.rank(0) + 1;
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", -1), rank));
  const std::optional<std::vector<Dim>> depth = in.Values(1);
  Shape out = in.shape(0);
  out.insert(out.begin() + axis, depth && depth->size() == 1 ? (*depth)[0] : Dim::Unknown());
  return in.Set(0, in.type(2), std::move(out));
}

absl::Status InferNonZero(Inference& in) {
  if (!in.HasShape(0)) return in.Set(0, DataType::kInt64, UnknownShape(2));
  return in.Set(0, DataType::kInt64, {Dim(in.rank(0)), Dim::Unknown()});
}

absl::Status InferCompress(Inference& in) {
  if (!in.node.attributes.Has("axis")) return in.Set(0, in.type(0), UnknownShape(1));
  if (!in.HasShape(0)) return in.Unranked();
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", 0), in.rank(0)));
  Shape out = in.shape(0);
  out[axis] = Dim::Unknown();
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferNonMaxSuppression(Inference& in) { return in.Set(0, DataType::kInt64, {Dim::Unknown(), Dim(3)}); }

constexpr Entry kEntries[] = {
    {OpKind::kGather, InferGather},
    {OpKind::kGatherElements, InferGatherElements},
    {OpKind::kGatherND, InferGatherNd},
    {OpKind::kScatterElements, LikeData},
    {OpKind::kScatterND, LikeData},
    {OpKind::kOneHot, InferOneHot},
    {OpKind::kNonZero, InferNonZero},
    {OpKind::kCompress, InferCompress},
    {OpKind::kNonMaxSuppression, InferNonMaxSuppression},
};

}  // namespace

std::span<const Entry> GatherFunctions() { return kEntries; }

}  // namespace slipway::shapes
