#include "convert/parity/interface.h"

#include <algorithm>

#include "common/base/error.h"

namespace slipway {
namespace {

bool IsPermutation(const std::vector<int64_t>& perm, int64_t rank) {
  if (static_cast<int64_t>(perm.size()) != rank) return false;
  std::vector<bool> seen(perm.size(), false);
  for (const int64_t axis : perm) {
    if (axis < 0 || axis >= rank || seen[static_cast<size_t>(axis)]) return false;
    seen[static_cast<size_t>(axis)] = true;
  }
  return true;
}

std::vector<int64_t> Inverse(const std::vector<int64_t>& perm) {
  std::vector<int64_t> inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return inverse;
}

bool Fits(const std::vector<int64_t>& shape, const std::vector<int64_t>& declared) {
  return std::ranges::equal(shape, declared, [](int64_t size, int64_t want) { return want < 0 || size == want; });
}

// A shape with an axis of size 1 put in.
std::vector<int64_t> WithAxis(std::vector<int64_t> shape, int64_t axis) {
  shape.insert(shape.begin() + axis, 1);
  return shape;
}

// Where the source's axis `dropped` stands after the transposition.
int64_t DroppedPosition(const InterfaceTensor& interface) {
  if (interface.permutation.empty()) return interface.dropped_axis;
  return std::ranges::find(interface.permutation, interface.dropped_axis) - interface.permutation.begin();
}

}  // namespace

absl::StatusOr<Tensor> ToArtifact(const Tensor& source, const InterfaceTensor& interface) {
  Tensor tensor = source;
  if (!interface.permutation.empty()) {
    if (!IsPermutation(interface.permutation, tensor.rank())) {
      return InvalidArgument("io_schema of '{}': {} is no permutation of rank {}", interface.name,
                             ToString(interface.permutation), tensor.rank());
    }
    tensor = Transpose(tensor, interface.permutation);
  }
  if (interface.dropped_axis >= 0) {
    const int64_t at = DroppedPosition(interface);
    if (at >= tensor.rank() || tensor.shape()[static_cast<size_t>(at)] != 1) {
      return InvalidArgument("io_schema of '{}': axis {} of {} is not of size 1", interface.name,
                             interface.dropped_axis, ToString(source.shape()));
    }
    std::vector<int64_t> shape = tensor.shape();
    shape.erase(shape.begin() + at);
    tensor = tensor.Reshaped(std::move(shape));
  }
  if (tensor.rank() == 0 && interface.shape.size() == 1) tensor = tensor.Reshaped({1});
  if (!Fits(tensor.shape(), interface.shape)) {
    return InvalidArgument("'{}' takes {}, the source's tensor comes to {}", interface.name, ToString(interface.shape),
                           ToString(tensor.shape()));
  }
  return tensor.Cast(interface.type);
}

absl::StatusOr<Tensor> ToSource(const Tensor& artifact, const InterfaceTensor& interface, DataType type) {
  // A format's [1] may stand for a scalar, which an interpreter shows as it is.
  const bool scalar = artifact.rank() == 0 && interface.shape == std::vector<int64_t>{1};
  if (!scalar && !Fits(artifact.shape(), interface.shape)) {
    return InvalidArgument("shape {} where io_schema says {}", ToString(artifact.shape()), ToString(interface.shape));
  }
  Tensor tensor = artifact;
  if (tensor.type() != interface.type) {
    // ncnn's blobs do not say what their 32 bits are.
    if (tensor.type() != DataType::kFloat32 || interface.type != DataType::kInt32) {
      return InvalidArgument("{} where io_schema says {}", Name(tensor.type()), Name(interface.type));
    }
    tensor = Tensor(DataType::kInt32, artifact.shape(), artifact.bytes(), std::make_shared<const Tensor>(artifact));
  }
  if (interface.dropped_axis >= 0) {
    const int64_t at = DroppedPosition(interface);
    if (at > tensor.rank())
      return InvalidArgument("io_schema drops axis {} of rank {}", interface.dropped_axis, tensor.rank() + 1);
    tensor = tensor.Reshaped(WithAxis(tensor.shape(), at));
  }
  if (!interface.permutation.empty()) {
    if (!IsPermutation(interface.permutation, tensor.rank())) {
      return InvalidArgument("io_schema's permutation {} does not fit rank {}", ToString(interface.permutation),
                             tensor.rank());
    }
    tensor = Transpose(tensor, Inverse(interface.permutation));
  }
  return tensor.Cast(type);
}

absl::StatusOr<Tensor> ToSource(const Tensor& artifact, const ArtifactValue& value) {
  Tensor tensor = artifact;
  if (value.dropped_axis >= 0) {
    if (value.dropped_axis > tensor.rank())
      return InvalidArgument("axis {} cannot be added to rank {}", value.dropped_axis, tensor.rank());
    tensor = tensor.Reshaped(WithAxis(tensor.shape(), value.dropped_axis));
  }
  const Origin& origin = value.origin;
  if (!origin.channel_scale.empty()) {
    const int64_t axis = origin.channel_axis;
    const auto channels = static_cast<int64_t>(origin.channel_scale.size());
    if (axis < 0 || axis >= tensor.rank() || tensor.shape()[static_cast<size_t>(axis)] != channels) {
      return InvalidArgument("{} scales do not run along axis {} of {}", channels, axis, ToString(tensor.shape()));
    }
    int64_t inner = 1;
    for (int64_t i = axis + 1; i < tensor.rank(); ++i) inner *= tensor.shape()[static_cast<size_t>(i)];
    std::vector<float> values = tensor.ToFloats();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] /= origin.channel_scale[(i / static_cast<size_t>(inner)) % static_cast<size_t>(channels)];
    }
    tensor = Tensor::From<float>(tensor.shape(), values);
  }
  if (origin.permutation.empty()) return tensor;
  if (!IsPermutation(origin.permutation, tensor.rank())) {
    return InvalidArgument("{} is no permutation of rank {}", ToString(origin.permutation), tensor.rank());
  }
  return Transpose(tensor, Inverse(origin.permutation));
}

}  // namespace slipway
