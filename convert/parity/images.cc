#include "convert/parity/images.h"

#include <algorithm>

#include "common/base/error.h"

namespace slipway {
namespace {

// The size of the batch that the interface drops; 1 where it drops none.
int64_t SizeOfDropped(const IoSchema& io, const Sample& sample) {
  int64_t size = 1;
  for (const InterfaceTensor& input : io.inputs) {
    const auto found = std::ranges::find(sample.inputs, input.source, &NamedTensors::value_type::first);
    if (found == sample.inputs.end() || input.dropped_axis < 0 || input.dropped_axis >= found->second.rank()) continue;
    size = std::max(size, found->second.shape()[static_cast<size_t>(input.dropped_axis)]);
  }
  return size;
}

// The axis of an input that holds the images; -1: none. A vector of which the artifact takes one element lies along the batch as well.
int64_t ImageAxis(const InterfaceTensor& interface) {
  if (interface.dropped_axis >= 0) return interface.dropped_axis;
  return interface.shape == std::vector<int64_t>{1} ? 0 : -1;
}

int64_t Product(const std::vector<int64_t>& shape, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= shape[i];
  return product;
}

}  // namespace

int64_t ImagesOf(const IoSchema& io, const Sample& sample, const std::vector<Sample>& samples) {
  const bool open = std::ranges::any_of(samples, [&](const Sample& other) { return SizeOfDropped(io, other) == 1; });
  return open ? SizeOfDropped(io, sample) : 1;
}

Tensor ImageOf(const Tensor& source, const InterfaceTensor& interface, int64_t image, int64_t images) {
  const int64_t axis = ImageAxis(interface);
  if (images == 1 || axis < 0 || axis >= source.rank() || source.shape()[static_cast<size_t>(axis)] != images)
    return source;
  const auto at = static_cast<size_t>(axis);
  std::vector<int64_t> shape = source.shape();
  shape[at] = 1;
  auto [tensor, bytes] = Tensor::Allocate(source.type(), shape);
  const size_t row = static_cast<size_t>(Product(shape, at, shape.size())) * SizeOf(source.type());
  const size_t rows = row == 0 ? 0 : bytes.size() / row;
  for (size_t i = 0; i < rows; ++i) {
    const auto from = source.bytes().subspan((i * static_cast<size_t>(images) + static_cast<size_t>(image)) * row, row);
    std::ranges::copy(from, bytes.begin() + static_cast<int64_t>(i * row));
  }
  return tensor;
}

absl::StatusOr<Tensor> JoinImages(const std::vector<Tensor>& images, const std::vector<int64_t>& expected) {
  const Tensor& first = images.front();
  if (images.size() == 1 || first.shape() == expected) return first;
  const auto count = static_cast<int64_t>(images.size());
  const auto axis = static_cast<size_t>(std::ranges::mismatch(first.shape(), expected).in1 - first.shape().begin());
  std::vector<int64_t> joined = first.shape();
  if (axis < joined.size()) joined[axis] *= count;
  const bool alike = std::ranges::all_of(
      images, [&](const Tensor& image) { return image.shape() == first.shape() && image.type() == first.type(); });
  if (!alike || joined != expected) {
    return InvalidArgument("{} images of shape {} do not make {}", images.size(), ToString(first.shape()),
                           ToString(expected));
  }
  auto [tensor, bytes] = Tensor::Allocate(first.type(), joined);
  const size_t row = static_cast<size_t>(Product(first.shape(), axis, first.shape().size())) * SizeOf(first.type());
  const size_t rows = row == 0 ? 0 : first.bytes().size() / row;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t image = 0; image < images.size(); ++image) {
      const auto from = images[image].bytes().subspan(i * row, row);
      std::ranges::copy(from, bytes.begin() + static_cast<int64_t>((i * images.size() + image) * row));
    }
  }
  return tensor;
}

}  // namespace slipway
