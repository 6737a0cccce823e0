#include "convert/targets/ncnn/blob.h"

namespace slipway::ncnn {

bool DropsBatch(const Value& value) { return value.rank() >= 2 && value.shape->front() == Dim(1); }

std::vector<int64_t> BlobAxes(const Value& value) {
  std::vector<int64_t> axes;
  int64_t kept = value.rank() - (DropsBatch(value) ? 1 : 0);
  for (int64_t axis = DropsBatch(value) ? 1 : 0; axis < value.rank(); ++axis) {
    if (kept > kMaxBlobRank && (*value.shape)[static_cast<size_t>(axis)] == Dim(1)) {
      --kept;
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

bool KeepsAxes(const Value& value) {
  return static_cast<int64_t>(BlobAxes(value).size()) == value.rank() - (DropsBatch(value) ? 1 : 0);
}

Shape BlobShape(const Value& value) {
  if (value.shape->empty()) return {1};
  Shape shape;
  for (const int64_t axis : BlobAxes(value)) shape.push_back((*value.shape)[static_cast<size_t>(axis)]);
  return shape;
}

Shape FullShape(const Value& value) { return value.shape->empty() ? Shape{1} : *value.shape; }

}  // namespace slipway::ncnn
