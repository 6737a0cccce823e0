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
  RETURN_IF_ERROR(CheckConstant(node, 3, "axes"));
  RETURN_IF_ERROR(CheckConstant(node, 4, "steps"));
  for (const size_t input : {1, 2}) {
    const Value* bounds = node.input(input);
    if (!bounds->IsConstant() && (bounds->rank() != 1 || !(*bounds->shape)[0].IsKnown()))
      return Unsupported(node, "bounds of which the number is not known", "");
  }
  return absl::OkStatus();
}

// Bounds of every axis, in int32: those of `value` (one an axis of `axes`) between the others'.
int32_t ComputedBounds(const Node& node, const slipway::Value* value, const std::vector<int64_t>& axes,
                       std::string_view what, ModelBuilder& out) {
  const std::string name = fmt::format("{}/{}", node.output()->name, what);
  const int64_t rank = node.input(0)->rank(), count = static_cast<int64_t>(axes.size());
  const schema::TensorType type = *TypeOf(value->type);
  const int32_t narrow = out.Intermediate(name + "/narrow", DataType::kInt32, {count});
  const int32_t padded = out.Intermediate(name + "/padded", DataType::kInt32, {count + 1});
  const int32_t all = out.Intermediate(name, DataType::kInt32, {rank});
  out.OpWith<schema::CastOptions>(BuiltinOperator::CAST, {out.Value(value)}, {narrow}, 1, [type](auto& options) {
    options.add_in_data_type(type);
    options.add_out_data_type(schema::TensorType::INT32);
  });
  out.OpWith<schema::ConcatenationOptions>(BuiltinOperator::CONCATENATION, {narrow, out.Ints(name + "/none", {0})},
                                           {padded}, 1, [](auto& options) { options.add_axis(0); });
  std::vector<int64_t> from(static_cast<size_t>(rank), count);  // the 0 at the end: a mask says that it is none
  for (size_t i = 0; i < axes.size(); ++i) from[static_cast<size_t>(axes[i])] = static_cast<int64_t>(i);
  out.OpWith<schema::GatherOptions>(BuiltinOperator::GATHER, {padded, out.Ints(name + "/order", from)}, {all}, 1,
                                    [](auto& options) { options.add_axis(0); });
  return all;
}

void EmitSlice(const Node& node, ModelBuilder& out) {
  const int64_t rank = node.input(0)->rank();
  std::vector<int64_t> begin(rank, 0), end(rank, 0), stride(rank, 1);
  int64_t begin_mask = (int64_t{1} << rank) - 1, end_mask = begin_mask;
  const Tensor *starts = node.constant(1), *ends = node.constant(2);
  const int64_t count = starts != nullptr ? starts->size() : (*node.input(1)->shape)[0].value();
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t axis = node.constant(3) != nullptr ? node.constant(3)->ToInt64s()[i] : i;
    axes.push_back(axis < 0 ? axis + rank : axis);
  }
  const auto clamp = [](int64_t at) {
    return std::clamp<int64_t>(at, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
  };
  for (int64_t i = 0; i < count; ++i) {
    const int64_t axis = axes[i];
    const int64_t step = node.constant(4) != nullptr ? node.constant(4)->ToInt64s()[i] : 1;
    const Dim& size = (*node.input(0)->shape)[axis];
    stride[axis] = clamp(step);
    begin_mask &= ~(int64_t{1} << axis);
    if (starts != nullptr) {
      const int64_t start = starts->ToInt64s()[i];
      begin[axis] = clamp(start);
      if (step < 0 && size.IsKnown() && start >= size.value()) begin_mask |= int64_t{1} << axis;
    }
    if (ends == nullptr) {
      end_mask &= ~(int64_t{1} << axis);
      continue;
    }
    const int64_t stop = ends->ToInt64s()[i];
    end[axis] = clamp(stop);
    // Beyond either end is the end: a mask says so whatever the size.
    if (step > 0 ? stop < std::numeric_limits<int32_t>::max() : stop > std::numeric_limits<int32_t>::min())
      end_mask &= ~(int64_t{1} << axis);
    // Counted from the end, a negative step's bound before the first element has no number.
    if (step < 0 && size.IsKnown() && stop < -size.value()) end_mask |= int64_t{1} << axis;
  }
  const std::string& name = node.output()->name;
  const int32_t data = out.Value(node.input(0)), result = out.Value(node.output());
  const int32_t first =
      starts != nullptr ? out.Ints(name + "/begin", begin) : ComputedBounds(node, node.input(1), axes, "begin", out);
  const int32_t last =
      ends != nullptr ? out.Ints(name + "/end", end) : ComputedBounds(node, node.input(2), axes, "end", out);
  out.OpWith<schema::StridedSliceOptions>(BuiltinOperator::STRIDED_SLICE,
                                          {data, first, last, out.Ints(name + "/stride", stride)}, {result},
                                          rank > 4 ? 4 : 1, [=](auto& options) {
                                            options.add_begin_mask(begin_mask);
                                            options.add_end_mask(end_mask);
                                          });
}

absl::Status CheckPad(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 5));
  RETURN_IF_ERROR(CheckConstant(node, 3, "axes"));
  if (node.constant(1) == nullptr) {
    if (node.input(3) != nullptr || node.input(1)->type != DataType::kInt64)
      return Unsupported(node, "computed pads of some axes", "give them for all");
  } else {
    for (int64_t pad : node.constant(1)->ToInt64s()) {
      if (pad < 0) return Unsupported(node, "negative pads", "rule crop-by-slice takes them");
    }
  }
  const std::string mode = node.attributes.String("mode", "constant");
  if (mode != "constant" && mode != "reflect") return Unsupported(node, fmt::format("padding mode '{}'", mode), "");
  return absl::OkStatus();
}

// A row of two for each axis, in int32; ONNX has all begins, then all ends.
int32_t ComputedPads(const Node& node, ModelBuilder& out) {
  const std::string name = node.output()->name + "/pads";
  const int64_t rank = node.input(0)->rank();
  const int32_t rows = out.Intermediate(name + "/rows", DataType::kInt64, {2, rank});
  const int32_t pairs = out.Intermediate(name + "/pairs", DataType::kInt64, {rank, 2});
  const int32_t narrow = out.Intermediate(name, DataType::kInt32, {rank, 2});
  out.Op(BuiltinOperator::RESHAPE, {out.Value(node.input(1)), out.Ints(name + "/shape", {2, rank})}, {rows});
  out.OpWith<schema::TransposeOptions>(BuiltinOperator::TRANSPOSE, {rows, out.Ints(name + "/perm", {1, 0})}, {pairs}, 1,
                                       [](auto&) {});
  out.OpWith<schema::CastOptions>(BuiltinOperator::CAST, {pairs}, {narrow}, 1, [](auto& options) {
    options.add_in_data_type(schema::TensorType::INT64);
    options.add_out_data_type(schema::TensorType::INT32);
  });
  return narrow;
}

int32_t ConstantPads(const Node& node, ModelBuilder& out) {
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
  return out.Constant(node.output()->name + "/pads", Tensor::From<int64_t>({rank, 2}, pairs).Cast(DataType::kInt32));
}

void EmitPad(const Node& node, ModelBuilder& out) {
  const int32_t pads = node.constant(1) == nullptr ? ComputedPads(node, out) : ConstantPads(node, out);
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
