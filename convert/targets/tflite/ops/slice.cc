// CONCATENATION, SPLIT_V, STRIDED_SLICE, PAD, PADV2, MIRROR_PAD.
#include <algorithm>
#include <limits>

#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

absl::Status CheckConcat(const Node& node) { return CheckRank(node, node.output(), 8); }

void EmitConcat(const Node& node, ModelBuilder& out) {
  std::vector<int32_t> inputs;
  for (const Value* input : node.inputs) inputs.push_back(out.Value(input));
  const int64_t axis = AxisOf(node, node.output(), 0);
  out.OpWith<schema::ConcatenationOptions>(BuiltinOperator::CONCATENATION, inputs, {out.Value(node.output())}, 1,
                                           [=](auto& options) { options.add_axis(axis); });
}

std::optional<std::vector<int64_t>> SplitSizes(const Node& node) {
  std::vector<int64_t> sizes;
  const int64_t axis = AxisOf(node, node.input(0), 0);
  for (const Value* output : node.outputs) {
    if (output == nullptr || !output->shape || !(*output->shape)[axis].IsKnown()) return std::nullopt;
    sizes.push_back((*output->shape)[axis].value());
  }
  return sizes;
}

absl::Status CheckSplit(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 8));
  return SplitSizes(node) ? absl::OkStatus()
                          : Unsupported(node, "parts whose sizes are not fixed, or that nobody reads",
                                        "rule split-to-slices takes them");
}

void EmitSplit(const Node& node, ModelBuilder& out) {
  const std::vector<int64_t> sizes = *SplitSizes(node);
  std::vector<int32_t> outputs;
  for (const Value* output : node.outputs) outputs.push_back(out.Value(output));
  const std::string name = node.outputs[0]->name;
  const int64_t count = static_cast<int64_t>(sizes.size());
  out.OpWith<schema::SplitVOptions>(BuiltinOperator::SPLIT_V,
                                    {out.Value(node.input(0)), out.Ints(name + "/sizes", sizes),
                                     out.Int(name + "/axis", AxisOf(node, node.input(0), 0))},
                                    outputs, 1, [=](auto& options) { options.add_num_splits(count); });
}

absl::Status CheckSlice(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 5));
  for (size_t input = 1; input < 5; ++input) RETURN_IF_ERROR(CheckConstant(node, input, "bounds"));
  return absl::OkStatus();
}

void EmitSlice(const Node& node, ModelBuilder& out) {
  const int64_t rank = node.input(0)->rank();
  std::vector<int64_t> begin(rank, 0), end(rank, 0), stride(rank, 1);
  int64_t begin_mask = (int64_t{1} << rank) - 1, end_mask = begin_mask;
  const std::vector<int64_t> starts = node.constant(1)->ToInt64s(), ends = node.constant(2)->ToInt64s();
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t axis = node.constant(3) != nullptr ? node.constant(3)->ToInt64s()[i] : static_cast<int64_t>(i);
    if (axis < 0) axis += rank;
    stride[axis] = node.constant(4) != nullptr ? node.constant(4)->ToInt64s()[i] : 1;
    const auto clamp = [](int64_t at) {
      return std::clamp<int64_t>(at, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    };
    begin[axis] = clamp(starts[i]);
    end[axis] = clamp(ends[i]);
    begin_mask &= ~(int64_t{1} << axis);
    // Beyond either end is the end: a mask says so whatever the size.
    if (stride[axis] > 0 ? ends[i] < std::numeric_limits<int32_t>::max()
                         : ends[i] > std::numeric_limits<int32_t>::min())
      end_mask &= ~(int64_t{1} << axis);
    // Counted from the end, a negative step's bound before the first element has no number.
    const Dim& size = (*node.input(0)->shape)[axis];
    if (stride[axis] < 0 && size.IsKnown() && ends[i] < -size.value()) end_mask |= int64_t{1} << axis;
    if (stride[axis] < 0 && size.IsKnown() && starts[i] >= size.value()) begin_mask |= int64_t{1} << axis;
    stride[axis] = clamp(stride[axis]);
  }
  const std::string& name = node.output()->name;
  out.OpWith<schema::StridedSliceOptions>(BuiltinOperator::STRIDED_SLICE,
                                          {out.Value(node.input(0)), out.Ints(name + "/begin", begin),
                                           out.Ints(name + "/end", end), out.Ints(name + "/stride", stride)},
                                          {out.Value(node.output())}, rank > 4 ? 4 : 1, [=](auto& options) {
                                            options.add_begin_mask(begin_mask);
                                            options.add_end_mask(end_mask);
                                          });
}

absl::Status CheckPad(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 5));
  RETURN_IF_ERROR(CheckConstant(node, 1, "pads"));
  RETURN_IF_ERROR(CheckConstant(node, 3, "axes"));
  for (int64_t pad : node.constant(1)->ToInt64s()) {
    if (pad < 0) return Unsupported(node, "negative pads", "rule crop-by-slice takes them");
  }
  const std::string mode = node.attributes.String("mode", "constant");
  if (mode != "constant" && mode != "reflect") return Unsupported(node, fmt::format("padding mode '{}'", mode), "");
  return absl::OkStatus();
}

void EmitPad(const Node& node, ModelBuilder& out) {
  const int64_t rank = node.input(0)->rank();
  const std::vector<int64_t> amounts = node.constant(1)->ToInt64s();
  const size_t count = amounts.size() / 2;
  std::vector<int64_t> pairs(static_cast<size_t>(2 * rank), 0);
  for (size_t i = 0; i < count; ++i) {
    int64_t axis = node.constant(3) != nullptr ? node.constant(3)->ToInt64s()[i] : static_cast<int64_t>(i);
    if (axis < 0) axis += rank;
    pairs[2 * axis] = amounts[i];
    pairs[2 * axis + 1] = amounts[i + count];
  }
  const std::string& name = node.output()->name;
  const int32_t pads = out.Constant(name + "/pads", Tensor::From<int64_t>({rank, 2}, pairs).Cast(DataType::kInt32));
  const int32_t data = out.Value(node.input(0)), result = out.Value(node.output());
  if (node.attributes.String("mode", "constant") == "reflect") {
    return out.OpWith<schema::MirrorPadOptions>(
        BuiltinOperator::MIRROR_PAD, {data, pads}, {result}, 1,
        [](auto& options) { options.add_mode(schema::MirrorPadMode::REFLECT); });
  }
  const Tensor* fill = node.constant(2);
  const bool zero = node.input(2) == nullptr || (fill != nullptr && fill->size() == 1 && fill->ToDoubles()[0] == 0);
  if (zero) return out.OpWith<schema::PadOptions>(BuiltinOperator::PAD, {data, pads}, {result}, 1, [](auto&) {});
  out.OpWith<schema::PadV2Options>(BuiltinOperator::PADV2, {data, pads, out.Value(node.input(2))}, {result}, 1,
                                   [](auto&) {});
}

constexpr OpEntry kEntries[] = {
    {OpKind::kConcat, CheckConcat, EmitConcat},
    {OpKind::kSplit, CheckSplit, EmitSplit},
    {OpKind::kSlice, CheckSlice, EmitSlice},
    {OpKind::kPad, CheckPad, EmitPad},
};

}  // namespace

std::span<const OpEntry> SliceOps() { return kEntries; }

}  // namespace slipway::tflite
