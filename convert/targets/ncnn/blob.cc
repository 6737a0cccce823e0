#include "convert/targets/ncnn/blob.h"

namespace slipway::ncnn {

bool DropsBatch(const Value& value) { return value.rank() >= 2 && value.shape->front() == Dim(1); }

Shape BlobShape(const Value& value) {
  Shape shape = FullShape(value);
  if (DropsBatch(value)) shape.erase(shape.begin());
  return shape;
}

Shape FullShape(const Value& value) { return value.shape->empty() ? Shape{1} : *value.shape; }

}  // namespace slipway::ncnn
