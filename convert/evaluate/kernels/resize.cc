// Resize.
#include <algorithm>

#include "convert/evaluate/kernels/kernels.h"
#include "convert/ir/resample.h"

namespace slipway::evaluate {
namespace {

// data [outer, from, inner] → [outer, to, inner].
std::vector<float> ResizeAxis(const std::vector<float>& data, const ResampledAxis& axis, int64_t outer, int64_t inner) {
  std::vector<float> result(static_cast<size_t>(outer * axis.to * inner), 0.0f);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < axis.to; ++i) {
      float* row = result.data() + (o * axis.to + i) * inner;
      for (int64_t j = 0; j < axis.from; ++j) {
        const float weight = axis.weights[static_cast<size_t>(i * axis.from + j)];
        if (weight == 0) continue;
        const float* source = data.data() + (o * axis.from + j) * inner;
        for (int64_t k = 0; k < inner; ++k) row[k] += weight * source[k];
      }
    }
  }
  return result;
}

absl::StatusOr<Results> EvaluateResize(const Call& call) {
  const Tensor& data = call[0];
  ASSIGN_OR_RETURN(const std::vector<ResampledAxis> axes, ReadResampling(call.node));
  const bool crops =
      std::ranges::any_of(axes, [](const ResampledAxis& axis) { return std::ranges::count(axis.outside, true) > 0; });
  if (crops) return Unimplemented("{}: no constant evaluation of extrapolation", Describe(call.node));
  if (call.node.attributes.String("mode", "nearest") == "nearest") {
    std::vector<std::vector<int64_t>> maps;
    for (const ResampledAxis& axis : axes) {
      maps.push_back(axis.nearest);
      for (int64_t i = 0; axis.identity && i < axis.from; ++i) maps.back().push_back(i);
    }
    ASSIGN_OR_RETURN(Tensor result, TakeAxes(call, data, maps));
    return Results{std::move(result)};
  }
  if (!IsFloat(data.type())) return call.NoKernel(data.type());
  std::vector<int64_t> shape;
  for (const ResampledAxis& axis : axes) shape.push_back(axis.to);
  RETURN_IF_ERROR(call.Allocate(DataType::kFloat32, shape).status());
  std::vector<float> values = data.ToFloats();
  int64_t outer = 1, inner = data.size();
  for (const ResampledAxis& axis : axes) {
    inner /= std::max<int64_t>(axis.from, 1);
    if (!axis.identity) values = ResizeAxis(values, axis, outer, inner);
    outer *= axis.to;
  }
  return Results{Tensor::From(shape, values).Cast(data.type())};
}

constexpr Entry kEntries[] = {{OpKind::kResize, EvaluateResize}};

}  // namespace

std::span<const Entry> ResizeKernels() { return kEntries; }

}  // namespace slipway::evaluate
