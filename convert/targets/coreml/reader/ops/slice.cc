#include <limits>

#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

std::vector<int64_t> Iota(int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i);
  return values;
}

// numpy's x[begin:end:stride, …]; masks stand for left-out bounds, squeeze_mask for a plain index.
void ReadSliceByIndex(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  if (!op.ok()) return;
  const size_t axes = static_cast<size_t>(rank);
  const std::vector<int64_t> none(axes, 0);
  std::vector<int64_t> stride = op.Ints("stride", std::vector<int64_t>(axes, 1));
  const std::vector<int64_t> begin_mask = op.Ints("begin_mask", none);
  const std::vector<int64_t> end_mask = op.Ints("end_mask", none);
  const std::vector<int64_t> squeeze_mask = op.Ints("squeeze_mask", none);
  Value* begin = op.Input("begin");
  Value* end = op.Input("end");
  if (!op.ok()) return;
  if (stride.size() != axes || begin_mask.size() != axes || end_mask.size() != axes || squeeze_mask.size() != axes) {
    return op.Malformed("strides or masks do not have x's rank");
  }
  if (!begin->constant || !end->constant) {
    for (size_t i = 0; i < axes; ++i) {
      if (begin_mask[i] || end_mask[i] || squeeze_mask[i]) return op.Refuse("masks with computed bounds are not read");
    }
    return op.Emit(OpKind::kSlice, {x, op.CastTo(begin, DataType::kInt64), op.CastTo(end, DataType::kInt64),
                                    op.ConstInt64s(Iota(rank)), op.ConstInt64s(stride)});
  }
  std::vector<int64_t> first = begin->constant->ToInt64s();
  std::vector<int64_t> last = end->constant->ToInt64s();
  if (first.size() != axes || last.size() != axes) return op.Malformed("begin or end does not have x's rank");
  std::vector<int64_t> squeezed;
  for (size_t i = 0; i < axes; ++i) {
    if (stride[i] == 0) return op.Malformed("a stride is zero");
    if (squeeze_mask[i]) {
      if (begin_mask[i]) first[i] = 0;
      stride[i] = 1;
      last[i] = first[i] == -1 ? kFar : first[i] + 1;
      squeezed.push_back(static_cast<int64_t>(i));
      continue;
    }
    if (begin_mask[i]) first[i] = stride[i] > 0 ? 0 : kFar;
    if (end_mask[i]) last[i] = stride[i] > 0 ? kFar : -kFar;
  }
  Value* slice = op.Add(OpKind::kSlice, {x, op.ConstInt64s(first), op.ConstInt64s(last), op.ConstInt64s(Iota(rank)),
                                         op.ConstInt64s(stride)});
  op.Result(squeezed.empty() ? slice : op.Add(OpKind::kSqueeze, {slice, op.ConstInt64s(squeezed)}));
}

void ReadSliceBySize(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  const std::vector<int64_t> begin = op.Ints("begin");
  const std::vector<int64_t> size = op.Ints("size");
  if (!op.ok()) return;
  if (begin.size() != static_cast<size_t>(rank) || size.size() != begin.size())
    return op.Malformed("begin or size does not have x's rank");
  std::vector<int64_t> end(begin.size());
  for (size_t i = 0; i < end.size(); ++i) {
    if (begin[i] < 0) return op.Malformed("a begin is negative");
    end[i] = size[i] == -1 ? kFar : begin[i] + size[i];
  }
  op.Emit(OpKind::kSlice, {x, op.ConstInt64s(begin), op.ConstInt64s(end), op.ConstInt64s(Iota(rank))});
}

void ReadSplit(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  const int64_t axis = op.Axis(op.Int("axis", 0), rank);
  if (!op.ok()) return;
  std::vector<int64_t> sizes = op.Ints("split_sizes");
  if (!op.Has("split_sizes")) {
    const int64_t count = op.Int("num_splits", 0);
    const Dim& size = (*x->shape)[static_cast<size_t>(axis)];
    if (!size.IsKnown()) return op.Refuse("the axis to split has a variable size");
    if (count < 1 || size.value() % count != 0) return op.Malformed("the axis does not split evenly");
    sizes.assign(static_cast<size_t>(count), size.value() / count);
  }
  if (sizes.size() != op.output_count()) return op.Malformed("the number of sizes is not that of outputs");
  int64_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    op.Result(
        op.Add(OpKind::kSlice, {x, op.ConstInt64s({at}), op.ConstInt64s({at + sizes[i]}), op.ConstInt64s({axis})}), i);
    at += sizes[i];
  }
}

// Computed pads of all axes: (begin, end) of each, where ONNX has all begins before all ends.
void ReadComputedPad(OpReader& op, Value* x, Value* pad) {
  const int64_t rank = op.RankOf(x);
  if (!op.ok()) return;
  if (!pad->shape || *pad->shape != Shape{Dim(2 * rank)} || op.String("mode", "constant") != "constant")
    return op.Refuse("computed pads of some axes, or not of a constant, are not read");
  Value* pairs = op.Add(OpKind::kReshape, {op.CastTo(pad, DataType::kInt64), op.ConstInt64s({rank, 2})});
  Value* rows = op.Add(OpKind::kTranspose, {pairs}, Attrs({{"perm", std::vector<int64_t>{1, 0}}}));
  Value* pads = op.Add(OpKind::kReshape, {rows, op.ConstInt64s({2 * rank})});
  Value* value = op.Has("constant_val") ? op.Input("constant_val") : op.ConstLike(x, 0);
  op.Emit(OpKind::kPad, {x, pads, value}, Attrs({{"mode", std::string("constant")}}));
}

// MIL pads the last axes, axis by axis.
void ReadPad(OpReader& op) {
  Value* x = op.Input("x");
  if (Value* pad = op.Input("pad"); pad != nullptr && !pad->constant) return ReadComputedPad(op, x, pad);
  const std::string mode = op.String("mode", "constant");
  const size_t rank = static_cast<size_t>(op.RankOf(x));
  const std::vector<int64_t> pad = op.Ints("pad");
  if (!op.ok()) return;
  if (pad.size() % 2 != 0 || pad.size() / 2 > rank) return op.Malformed("pad has the wrong length");
  const size_t skipped = rank - pad.size() / 2;
  std::vector<int64_t> pads(2 * rank, 0);
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    pads[skipped + i] = pad[2 * i];
    pads[rank + skipped + i] = pad[2 * i + 1];
  }
  if (mode == "constant") {
    Value* value = op.Has("constant_val") ? op.Input("constant_val") : op.ConstLike(x, 0);
    return op.Emit(OpKind::kPad, {x, op.ConstInt64s(pads), value}, Attrs({{"mode", std::string("constant")}}));
  }
  if (mode != "reflect" && mode != "replicate") return op.Malformed("mode '" + mode + "' is not one of MIL's");
  op.Emit(OpKind::kPad, {x, op.ConstInt64s(pads)},
          Attrs({{"mode", std::string(mode == "reflect" ? "reflect" : "edge")}}));
}

void ReadReverse(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  std::vector<int64_t> axes = op.Has("axes") ? op.Ints("axes") : Iota(rank);
  for (int64_t& axis : axes) axis = op.Axis(axis, rank);
  const size_t count = axes.size();
  op.Emit(OpKind::kSlice,
          {x, op.ConstInt64s(std::vector<int64_t>(count, kFar)), op.ConstInt64s(std::vector<int64_t>(count, -kFar)),
           op.ConstInt64s(axes), op.ConstInt64s(std::vector<int64_t>(count, -1))});
}

void ReadReverseSequence(OpReader& op) {
  Value* x = op.Input("x");
  Value* lengths = op.CastTo(op.Input("lengths"), DataType::kInt64);
  const int64_t time = op.Axis(op.Int("seq_axis", 0), op.RankOf(x));
  const int64_t batch = op.Axis(op.Int("batch_axis", 0), op.RankOf(x));
  if (time + batch != 1) return op.Refuse("axes other than the first two are not read");
  op.Emit(OpKind::kReverseSequence, {x, lengths}, Attrs({{"time_axis", time}, {"batch_axis", batch}}));
}

// What lies more than `lower` below or `upper` above the diagonal is zero; a negative bound is none.
void ReadBandPart(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t lower = op.Int("lower", -1);
  const int64_t upper = op.Int("upper", -1);
  if (lower >= 0) x = op.Add(OpKind::kTrilu, {x, op.ConstScalar(-lower)}, Attrs({{"upper", int64_t{1}}}));
  if (upper >= 0) x = op.Add(OpKind::kTrilu, {x, op.ConstScalar(upper)}, Attrs({{"upper", int64_t{0}}}));
  op.Result(x);
}

// The last two axes, cut at both ends.
void ReadCrop(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  const std::vector<int64_t> height = op.Ints("crop_height");
  const std::vector<int64_t> width = op.Ints("crop_width");
  if (!op.ok()) return;
  if (rank < 3 || height.size() != 2 || width.size() != 2) return op.Malformed("its parameters do not fit x");
  const auto end = [](int64_t cut) { return cut == 0 ? kFar : -cut; };
  op.Emit(OpKind::kSlice, {x, op.ConstInt64s({height[0], width[0]}), op.ConstInt64s({end(height[1]), end(width[1])}),
                           op.ConstInt64s({rank - 2, rank - 1})});
}

constexpr OpEntry kOps[] = {
    {"band_part", ReadBandPart},
    {"reverse_sequence", ReadReverseSequence},
    {"crop", ReadCrop},
    {"pad", ReadPad},
    {"reverse", ReadReverse},
    {"slice_by_index", ReadSliceByIndex},
    {"slice_by_size", ReadSliceBySize},
    {"split", ReadSplit},
};

}  // namespace

std::span<const OpEntry> SliceOps() { return kOps; }

}  // namespace slipway::coreml_reader
