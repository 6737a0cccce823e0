#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Blocks put back where they were cut, overlaps summed: each channel's transposed convolution by unit kernels.
absl::Status Col2Im(OpContext& op) {
  const Value *blocks = op.input(0), *image = op.input(1), *kernel = op.input(2);
  if (image == nullptr || !image->IsConstant() || kernel == nullptr || !kernel->IsConstant())
    return Unimplemented("its image_shape and block_shape are computed; export the model with fixed sizes");
  const std::vector<int64_t> sizes = image->constant->ToInt64s(), block = kernel->constant->ToInt64s();
  const size_t rank = sizes.size();
  const auto spread = [&](const char* name, size_t count, int64_t value) {
    std::vector<int64_t> given = op.attributes.Ints(name);
    if (given.empty()) given.assign(count, value);
    return given;
  };
  const std::vector<int64_t> strides = spread("strides", rank, 1), dilations = spread("dilations", rank, 1),
                             pads = spread("pads", 2 * rank, 0);
  if (rank < 1 || rank > 3 || block.size() != rank || strides.size() != rank || dilations.size() != rank ||
      pads.size() != 2 * rank)
    return InvalidArgument("its image_shape, block_shape, strides, dilations and pads do not fit");
  int64_t taps = 1;
  for (const int64_t size : block) {
    if (size < 1 || size > 1 << 12 || (taps *= size) > 1 << 12) return InvalidArgument("a block of {} elements", taps);
  }
  if (!blocks->shape || blocks->rank() != 3 || !(*blocks->shape)[1].IsKnown() ||
      (*blocks->shape)[1].value() % taps != 0)
    return InvalidArgument("blocks {} of {} elements each", blocks->shape ? ToString(*blocks->shape) : "", taps);
  const int64_t channels = (*blocks->shape)[1].value() / taps;
  std::vector<int64_t> counts = {0, channels * taps}, beyond;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t span = sizes[i] + pads[i] + pads[i + rank] - dilations[i] * (block[i] - 1) - 1;
    if (sizes[i] < 1 || strides[i] < 1 || dilations[i] < 1 || span < 0)
      return InvalidArgument("blocks that are larger than the image of {}", sizes[i]);
    counts.push_back(span / strides[i] + 1);
    beyond.push_back(span % strides[i]);
  }
  std::vector<int64_t> shape = {channels * taps, 1};
  shape.insert(shape.end(), block.begin(), block.end());
  std::vector<float> units(static_cast<size_t>(channels * taps * taps), 0.0f);
  for (int64_t i = 0; i < channels * taps; ++i) units[static_cast<size_t>(i * taps + i % taps)] = 1;
  Attributes attributes;
  attributes.Set("strides", strides);
  attributes.Set("dilations", dilations);
  attributes.Set("pads", pads);
  attributes.Set("output_padding", beyond);
  attributes.Set("group", channels);
  attributes.Set("kernel_shape", block);
  Value* placed = op.Make(OpKind::kReshape, {op.input(0), op.Constant("counts", Tensor::Int64s(counts))});
  op.Emit(OpKind::kConvTranspose, {placed, op.Constant("units", Tensor::From(shape, units))}, std::move(attributes));
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Conv", OpKind::kConv},
    {"ConvTranspose", OpKind::kConvTranspose},
    {"Col2Im", OpKind::kConvTranspose, Col2Im, 3, 3},
};

}  // namespace

std::span<const OpImport> ConvOps() { return kOps; }

}  // namespace slipway::onnx_import
