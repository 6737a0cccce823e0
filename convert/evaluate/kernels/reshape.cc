// Reshape, Flatten, Squeeze, Unsqueeze, Identity, Transpose.
#include <algorithm>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {
namespace {

absl::StatusOr<Results> EvaluateReshape(const Call& call) {
  std::vector<int64_t> shape = call[1].ToInt64s();
  const bool allow_zero = call.node.attributes.Int("allowzero", 0) != 0;
  int64_t known = 1;
  int inferred = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero) {
      if (i >= call[0].shape().size())
        return call.Error("size 0 copies axis {}, which {} lacks", i, ToString(call[0].shape()));
      shape[i] = call[0].shape()[i];
    }
    if (shape[i] == -1 && inferred < 0) {
      inferred = static_cast<int>(i);
      continue;
    }
    if (shape[i] < 0) return call.Error("no valid shape: {}", ToString(shape));
    known *= shape[i];
  }
  if (inferred >= 0) shape[inferred] = known == 0 ? 0 : call[0].size() / known;
  if (ElementCount(shape) != call[0].size())
    return call.Error("{} elements do not fit {}", call[0].size(), ToString(shape));
  return Results{call[0].Reshaped(shape)};
}

absl::StatusOr<Results> EvaluateFlatten(const Call& call) {
  int64_t axis = call.node.attributes.Int("axis", 1);
  if (axis < 0) axis += call[0].rank();
  if (axis < 0 || axis > call[0].rank()) return call.Error("axis {} of rank {}", axis, call[0].rank());
  const std::vector<int64_t>& shape = call[0].shape();
  return Results{call[0].Reshaped(
      {ElementCount({shape.begin(), shape.begin() + axis}), ElementCount({shape.begin() + axis, shape.end()})})};
}

absl::StatusOr<Results> EvaluateSqueeze(const Call& call) {
  std::vector<bool> dropped(call[0].shape().size());
  if (call.Has(1)) {
    for (int64_t axis : call[1].ToInt64s()) {
      ASSIGN_OR_RETURN(const int64_t resolved, call.Axis(axis, call[0].rank()));
      if (call[0].shape()[resolved] != 1)
        return call.Error("axis {} of size {} cannot be squeezed", axis, call[0].shape()[resolved]);
      dropped[resolved] = true;
    }
  } else {
    for (size_t i = 0; i < dropped.size(); ++i) dropped[i] = call[0].shape()[i] == 1;
  }
  std::vector<int64_t> shape;
  for (size_t i = 0; i < dropped.size(); ++i) {
    if (!dropped[i]) shape.push_back(call[0].shape()[i]);
  }
  return Results{call[0].Reshaped(shape)};
}

absl::StatusOr<Results> EvaluateUnsqueeze(const Call& call) {
  std::vector<int64_t> axes = call[1].ToInt64s();
  const int64_t rank = call[0].rank() + static_cast<int64_t>(axes.size());
  for (int64_t& axis : axes) {
    ASSIGN_OR_RETURN(axis, call.Axis(axis, rank));
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return call.Error("an axis is given twice");
  std::vector<int64_t> shape = call[0].shape();
  for (int64_t axis : axes) shape.insert(shape.begin() + axis, 1);
  return Results{call[0].Reshaped(shape)};
}

absl::StatusOr<Results> EvaluateIdentity(const Call& call) { return Results{call[0]}; }

absl::StatusOr<Results> EvaluateTranspose(const Call& call) {
  std::vector<int64_t> perm = call.node.attributes.Ints("perm");
  if (perm.empty()) {
    for (int64_t i = call[0].rank() - 1; i >= 0; --i) perm.push_back(i);
  }
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<int64_t>(i)) return call.Error("perm {} is no permutation", ToString(perm));
  }
  if (static_cast<int64_t>(perm.size()) != call[0].rank())
    return call.Error("perm {} of data of rank {}", ToString(perm), call[0].rank());
  return Results{Transpose(call[0], perm)};
}

constexpr Entry kEntries[] = {
    {OpKind::kReshape, EvaluateReshape},   {OpKind::kFlatten, EvaluateFlatten},
    {OpKind::kSqueeze, EvaluateSqueeze},   {OpKind::kUnsqueeze, EvaluateUnsqueeze},
    {OpKind::kIdentity, EvaluateIdentity}, {OpKind::kTranspose, EvaluateTranspose},
};

}  // namespace

std::span<const Entry> ReshapeKernels() { return kEntries; }

}  // namespace slipway::evaluate
