#include <algorithm>

#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

void ReadReshape(OpReader& op) {
  Value* x = op.Input("x");
  Value* shape = op.Input("shape");
  if (!op.ok()) return;
  if (shape->constant) {
    const std::vector<int64_t> sizes = shape->constant->ToInt64s();
    const bool has_zero = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
    // A zero takes x's size on the same axis, which is defined for equal ranks only.
    if (has_zero && op.RankOf(x) != static_cast<int64_t>(sizes.size()))
      return op.Malformed("shape has a zero and another rank than x");
    return op.Emit(OpKind::kReshape, {x, op.ConstInt64s(sizes)});
  }
  op.Emit(OpKind::kReshape, {x, op.CastTo(shape, DataType::kInt64)});
}

void ReadTranspose(OpReader& op) {
  Value* x = op.Input("x");
  std::vector<int64_t> perm = op.Ints("perm");
  const int64_t rank = op.RankOf(x);
  if (op.ok() && perm.size() != static_cast<size_t>(rank)) return op.Malformed("perm does not have x's rank");
  std::vector<bool> seen(perm.size(), false);
  for (int64_t& axis : perm) {
    axis = op.Axis(axis, rank);
    if (!op.ok()) return;
    if (seen[static_cast<size_t>(axis)]) return op.Malformed("perm has an axis twice");
    seen[static_cast<size_t>(axis)] = true;
  }
  op.Emit(OpKind::kTranspose, {x}, Attrs({{"perm", perm}}));
}

void ReadExpandDims(OpReader& op) {
  Value* x = op.Input("x");
  std::vector<int64_t> axes = op.Ints("axes");
  const int64_t rank = op.RankOf(x) + static_cast<int64_t>(axes.size());
  for (int64_t& axis : axes) axis = op.Axis(axis, rank);
  op.Emit(OpKind::kUnsqueeze, {x, op.ConstInt64s(axes)});
}

// As in PyTorch: a named axis that is longer than one stays.
void ReadSqueeze(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  if (!op.ok()) return;
  std::vector<int64_t> named = op.Ints("axes");
  if (!op.Has("axes")) {
    for (int64_t i = 0; i < rank; ++i) named.push_back(i);
  }
  std::vector<int64_t> axes;
  for (const int64_t given : named) {
    const int64_t axis = op.Axis(given, rank);
    if (!op.ok()) return;
    const Dim& size = (*x->shape)[static_cast<size_t>(axis)];
    if (!size.IsKnown()) return op.Refuse("an axis to squeeze has a variable size");
    if (size.value() == 1) axes.push_back(axis);
  }
  if (axes.empty()) return op.Emit(OpKind::kIdentity, {x});
  op.Emit(OpKind::kSqueeze, {x, op.ConstInt64s(axes)});
}

void ReadConcat(OpReader& op) {
  const std::vector<Value*> values = op.Inputs("values");
  if (!op.ok()) return;
  if (values.empty()) return op.Malformed("nothing to concatenate");
  const int64_t axis = op.Axis(op.Int("axis", 0), op.RankOf(values[0]));
  if (!op.Bool("interleave", false)) return op.Emit(OpKind::kConcat, values, Attrs({{"axis", axis}}));
  // Equal shapes, taken in turn: stacked behind the axis, then folded into it.
  if (op.output_count() != 1) return op.Malformed("it has not one output");
  const auto sizes = StaticShape(op.output().shape);
  if (!sizes) return op.Refuse("interleave with a variable size is not read");
  std::vector<Value*> stacked;
  for (Value* value : values) stacked.push_back(op.Add(OpKind::kUnsqueeze, {value, op.ConstInt64s({axis + 1})}));
  Value* all = op.Add(OpKind::kConcat, stacked, Attrs({{"axis", axis + 1}}));
  op.Emit(OpKind::kReshape, {all, op.ConstInt64s(*sizes)});
}

void ReadStack(OpReader& op) {
  std::vector<Value*> values = op.Inputs("values");
  if (!op.ok()) return;
  if (values.empty()) return op.Malformed("nothing to stack");
  const int64_t axis = op.Axis(op.Int("axis", 0), op.RankOf(values[0]) + 1);
  for (Value*& value : values) value = op.Add(OpKind::kUnsqueeze, {value, op.ConstInt64s({axis})});
  op.Emit(OpKind::kConcat, values, Attrs({{"axis", axis}}));
}

void ReadFlatten2d(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  int64_t axis = op.Int("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank) return op.Malformed("axis is out of range");
  op.Emit(OpKind::kFlatten, {x}, Attrs({{"axis", axis}}));
}

void ReadDepthToSpace(OpReader& op) {
  op.Emit(OpKind::kDepthToSpace, {op.Input("x")},
          Attrs({{"blocksize", op.Int("block_size", 0)}, {"mode", std::string("DCR")}}));
}

void ReadSpaceToDepth(OpReader& op) {
  op.Emit(OpKind::kSpaceToDepth, {op.Input("x")}, Attrs({{"blocksize", op.Int("block_size", 0)}}));
}

void ReadPixelShuffle(OpReader& op) {
  op.Emit(OpKind::kDepthToSpace, {op.Input("x")},
          Attrs({{"blocksize", op.Int("upscale_factor", 0)}, {"mode", std::string("CRD")}}));
}

// PyTorch's: output channel = (c f + row) f + column.
void ReadPixelUnshuffle(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t factor = op.Int("downscale_factor", 1);
  if (!op.ok()) return;
  const auto sizes = x->shape ? StaticShape(*x->shape) : std::nullopt;
  if (!sizes || sizes->size() != 4) return op.Refuse("an input other than of rank 4 and fixed size is not read");
  const int64_t n = (*sizes)[0], c = (*sizes)[1], h = (*sizes)[2], w = (*sizes)[3];
  if (factor < 1 || h % factor != 0 || w % factor != 0)
    return op.Malformed("downscale_factor does not divide the size");
  Value* blocks = op.Add(OpKind::kReshape, {x, op.ConstInt64s({n, c, h / factor, factor, w / factor, factor})});
  Value* moved = op.Add(OpKind::kTranspose, {blocks}, Attrs({{"perm", std::vector<int64_t>{0, 1, 3, 5, 2, 4}}}));
  op.Emit(OpKind::kReshape, {moved, op.ConstInt64s({n, c * factor * factor, h / factor, w / factor})});
}

void ReadFillLike(OpReader& op) {
  Value* shape = op.Add(OpKind::kShape, {op.Input("ref_tensor")}, {}, DataType::kInt64);
  Value* value = op.Has("value") ? op.Input("value") : op.ConstFloat(0);
  op.Emit(OpKind::kExpand, {value, shape});
}

void ReadTile(OpReader& op) { op.Emit(OpKind::kTile, {op.Input("x"), op.CastTo(op.Input("reps"), DataType::kInt64)}); }

void ReadShape(OpReader& op) {
  op.Result(op.CastTo(op.Add(OpKind::kShape, {op.Input("x")}, {}, DataType::kInt64), DataType::kInt32));
}

void ReadFill(OpReader& op) {
  Value* value = op.Has("value") ? op.Input("value") : op.ConstFloat(0);
  op.Emit(OpKind::kExpand, {value, op.CastTo(op.Input("shape"), DataType::kInt64)});
}

void ReadRange1d(OpReader& op) { op.Emit(OpKind::kRange, {op.Input("start"), op.Input("end"), op.Input("step")}); }

constexpr OpEntry kOps[] = {
    {"concat", ReadConcat},
    {"depth_to_space", ReadDepthToSpace},
    {"expand_dims", ReadExpandDims},
    {"fill", ReadFill},
    {"fill_like", ReadFillLike},
    {"flatten2d", ReadFlatten2d},
    {"pixel_shuffle", ReadPixelShuffle},
    {"pixel_unshuffle", ReadPixelUnshuffle},
    {"range_1d", ReadRange1d},
    {"reshape", ReadReshape},
    {"shape", ReadShape},
    {"space_to_depth", ReadSpaceToDepth},
    {"squeeze", ReadSqueeze},
    {"stack", ReadStack},
    {"tile", ReadTile},
    {"transpose", ReadTranspose},
};

}  // namespace

std::span<const OpEntry> ReshapeOps() { return kOps; }

}  // namespace slipway::coreml_reader
