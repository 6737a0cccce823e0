// What op emitters write with: values as blobs, layers in order.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "convert/ir/graph.h"
#include "convert/targets/ncnn/blob.h"
#include "convert/targets/ncnn/layers.h"

namespace slipway::ncnn {

// A value read or written as a blob of these sizes. Where they are not the value's own, a Reshape layer stands between.
struct BlobUse {
  BlobUse(const Value* value) : value(value), shape(BlobShape(*value)) {}  // NOLINT: a value is used as it lies
  BlobUse(const Value* value, Shape shape) : value(value), shape(std::move(shape)) {}
  const Value* value;
  Shape shape;
};

// Every value of `values` as it lies when all of them drop their batch, else each with all its axes: the same axes mean the same.
bool AllDropBatch(std::initializer_list<const Value*> values);
bool AllDropBatch(const std::vector<Value*>& values);
inline BlobUse Use(const Value* value, bool drop_batch) {
  return {value, drop_batch ? BlobShape(*value) : FullShape(*value)};
}

class Emitter {
 public:
  explicit Emitter(LayerList& layers) : layers_(layers) {}

  // A graph input's Input layer.
  void Input(const Value* value);
  // One layer for `node` (or one of several: then all have names of its making). A constant input becomes a MemoryData layer.
  absl::Status Layer(std::string_view type, const Node& node, const std::vector<BlobUse>& inputs,
                     const std::vector<BlobUse>& outputs, Params params = {}, std::vector<Weights> weights = {});
  // Parts of Layer(), for nodes that take several layers.
  absl::StatusOr<std::string> Read(const BlobUse& use, const Node& node);
  std::string Temporary(const Node& node);
  void Add(std::string_view type, const Node& node, std::vector<std::string> inputs, std::vector<std::string> outputs,
           Params params = {}, std::vector<Weights> weights = {});
  // A blob of `from` as the value that it is.
  absl::Status Reshape(const Node& node, std::string blob, const Shape& from, const Value* value) {
    return AddReshape(node, std::move(blob), from, Name(value), BlobShape(*value));
  }
  // The value's blob as its other readers see it.
  std::string Name(const Value* value);
  // A blob that a graph output can be fetched from, by a name that nothing else has.
  std::string Output(const Value* value);
  bool Has(const Value* value) const { return names_.contains(value); }

 private:
  absl::Status AddReshape(const Node& node, std::string from_blob, const Shape& from, std::string to_blob,
                          const Shape& to);

  LayerList& layers_;
  absl::flat_hash_map<const Value*, std::string> names_;
};

// Parameters of a Reshape layer. UNIMPLEMENTED when a size of `to` can be said neither as a number nor by the sizes of `from`.
absl::StatusOr<Params> ReshapeParams(const Shape& from, const Shape& to);

// Weights from constants, as float32.
Weights Tagged(const Tensor& tensor);
Weights Untagged(const Tensor& tensor);

}  // namespace slipway::ncnn
