#include <algorithm>

#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

absl::Status CheckShape(const Node& node) {
  if (node.input(0)->rank() == 0) return Unsupported(node, "a scalar has no sizes", "");
  return absl::OkStatus();
}

void ShapeOf(const Node& node, Program& out) {
  const int64_t rank = node.input(0)->rank();
  const auto clamped = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t start = clamped(node.attributes.Int("start", 0));
  const int64_t end = clamped(node.attributes.Int("end", rank));
  if (start == 0 && end == rank) {
    out.Emit(node, "shape", {{"x", {out.Operand(node, 0)}}});
    return;
  }
  const std::string all = out.Helper(node, "shape", {{"x", {out.Operand(node, 0)}}}, mil::INT32, {Dim(rank)});
  out.Emit(node, "slice_by_size", {{"x", {all}}, {"begin", {out.Ints({start})}}, {"size", {out.Ints({end - start})}}});
}

void Fill(const Node& node, Program& out) {
  const Tensor* value = node.attributes.TensorOf("value");
  const std::string filled = out.Constant("fill", (value == nullptr ? Tensor::Scalar(0) : *value).Reshaped({}));
  const std::string sizes =
      IsStatic(*node.outputs[0]->shape) ? out.Ints(*StaticShape(*node.outputs[0]->shape)) : out.Operand(node, 0);
  out.Emit(node, "fill", {{"shape", {sizes}}, {"value", {filled}}});
}

void Range(const Node& node, Program& out) {
  out.Emit(node, "range_1d",
           {{"end", {out.Operand(node, 1)}}, {"start", {out.Operand(node, 0)}}, {"step", {out.Operand(node, 2)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kShape, ShapeOf, CheckShape},
    {OpKind::kConstantOfShape, Fill},
    {OpKind::kRange, Range},
};

}  // namespace

std::span<const OpEmitter> ShapeEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
