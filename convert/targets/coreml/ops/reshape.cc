#include <algorithm>

#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

// The sizes of `shape` as an operand: numbers, with -1 for the one that is not known; with more of those they are read at run time.
std::string Sizes(const Node& node, Program& out, const Shape& shape) {
  std::vector<int64_t> sizes;
  int unknown = 0;
  for (const Dim& size : shape) {
    sizes.push_back(size.IsKnown() ? size.value() : -1);
    unknown += !size.IsKnown();
  }
  if (unknown <= 1) return out.Ints(sizes);
  // Sizes that the input has too are read off it.
  const std::string x = out.Operand(node, 0);
  const Shape& from = *node.input(0)->shape;
  const std::string all = out.Helper(node, "shape", {{"x", {x}}}, mil::INT32, {Dim(node.input(0)->rank())});
  std::vector<std::string> parts;
  for (const Dim& size : shape) {
    int64_t at = -1;
    for (size_t i = 0; i < from.size(); ++i) {
      if (!size.IsKnown() && from[i] == size) at = static_cast<int64_t>(i);
    }
    if (at >= 0) {
      parts.push_back(out.Helper(node, "gather", {{"x", {all}}, {"indices", {out.Ints({at})}}, {"axis", {out.Int(0)}}},
                                 mil::INT32, {Dim(1)}));
    } else {
      parts.push_back(out.Ints({size.IsKnown() ? size.value() : -1}));
    }
  }
  return out.Helper(node, "concat", {{"values", parts}, {"axis", {out.Int(0)}}, {"interleave", {out.Bool(false)}}},
                    mil::INT32, {Dim(static_cast<int64_t>(shape.size()))});
}

// Whether Sizes() can say the output's shape: at most one size that is neither known nor the input's.
bool CanSay(const Node& node) {
  int unknown = 0;
  int strange = 0;
  for (const Dim& size : *node.outputs[0]->shape) {
    if (size.IsKnown()) continue;
    ++unknown;
    bool found = false;
    for (const Dim& other : *node.input(0)->shape) found |= other == size;
    strange += !found;
  }
  return unknown <= 1 || strange <= 1;
}

void Reshape(const Node& node, Program& out) {
  const bool computed = node.constant(1) == nullptr && !CanSay(node);
  const std::string shape = computed ? out.Operand(node, 1) : Sizes(node, out, *node.outputs[0]->shape);
  out.Emit(node, "reshape", {{"x", {out.Operand(node, 0)}}, {"shape", {shape}}});
}

void Flatten(const Node& node, Program& out) {
  const int64_t axis = node.attributes.Int("axis", 1);
  out.Emit(node, "flatten2d",
           {{"x", {out.Operand(node, 0)}}, {"axis", {out.Int(axis < 0 ? axis + node.input(0)->rank() : axis)}}});
}

void Transpose(const Node& node, Program& out) {
  std::vector<int64_t> perm = node.attributes.Ints("perm");
  if (perm.empty()) {
    for (int64_t axis = node.input(0)->rank(); axis-- > 0;) perm.push_back(axis);
  }
  out.Emit(node, "transpose", {{"x", {out.Operand(node, 0)}}, {"perm", {out.Ints(perm)}}});
}

void Squeeze(const Node& node, Program& out) {
  const int64_t rank = node.input(0)->rank();
  std::vector<int64_t> axes;
  if (node.constant(1) != nullptr) {
    for (int64_t axis : node.constant(1)->ToInt64s()) axes.push_back(axis < 0 ? axis + rank : axis);
  } else {
    for (int64_t axis = 0; axis < rank; ++axis) {
      if ((*node.input(0)->shape)[axis] == Dim(1)) axes.push_back(axis);
    }
  }
  if (axes.empty()) {
    out.Emit(node, "identity", {{"x", {out.Operand(node, 0)}}});
    return;
  }
  out.Emit(node, "squeeze", {{"x", {out.Operand(node, 0)}}, {"axes", {out.Ints(axes)}}});
}

absl::Status CheckUnsqueeze(const Node& node) {
  if (node.constant(1) == nullptr) return Unsupported(node, "its axes are computed", "give them as a constant");
  return absl::OkStatus();
}

void Unsqueeze(const Node& node, Program& out) {
  std::vector<int64_t> axes = node.constant(1)->ToInt64s();
  for (int64_t& axis : axes) axis = axis < 0 ? axis + node.outputs[0]->rank() : axis;
  std::sort(axes.begin(), axes.end());
  out.Emit(node, "expand_dims", {{"x", {out.Operand(node, 0)}}, {"axes", {out.Ints(axes)}}});
}

// Numbers times ones of the wanted shape; booleans by way of int32.
void Expand(const Node& node, Program& out) {
  const Shape& shape = *node.outputs[0]->shape;
  const DataType type = node.input(0)->type;
  const std::string sizes = IsStatic(*node.outputs[0]->shape) ? out.Ints(*StaticShape(shape)) : out.Operand(node, 1);
  const mil::DataType number = IsFloat(type) ? mil::FLOAT32 : mil::INT32;
  const std::string one = IsFloat(type) ? out.Float(1) : out.Int(1);
  const Shape ones_shape =
      IsStatic(shape) || node.constant(1) == nullptr ? shape : ToShape(node.constant(1)->ToInt64s());
  const std::string ones = out.Helper(node, "fill", {{"shape", {sizes}}, {"value", {one}}}, number, ones_shape);
  std::string x = out.Operand(node, 0);
  if (type != DataType::kBool) {
    out.Emit(node, "mul", {{"x", {x}}, {"y", {ones}}});
    return;
  }
  x = out.Helper(node, "cast", {{"x", {x}}, {"dtype", {out.Text("int32")}}}, mil::INT32, *node.input(0)->shape);
  const std::string product = out.Helper(node, "mul", {{"x", {x}}, {"y", {ones}}}, mil::INT32, shape);
  out.Emit(node, "cast", {{"x", {product}}, {"dtype", {out.Text("bool")}}});
}

void Tile(const Node& node, Program& out) {
  out.Emit(node, "tile", {{"x", {out.Operand(node, 0)}}, {"reps", {out.Operand(node, 1)}}});
}

absl::Status CheckBlocks(const Node& node) {
  if (node.input(0)->rank() != 4 || !IsFloat(node.input(0)->type))
    return Unsupported(node, "the op takes float images of 4 axes", "");
  return absl::OkStatus();
}

void DepthToSpace(const Node& node, Program& out) {
  const bool columns_first = node.attributes.String("mode", "DCR") == "CRD";
  out.Emit(node, columns_first ? "pixel_shuffle" : "depth_to_space",
           {{"x", {out.Operand(node, 0)}},
            {columns_first ? "upscale_factor" : "block_size", {out.Int(node.attributes.Int("blocksize", 1))}}});
}

void SpaceToDepth(const Node& node, Program& out) {
  out.Emit(node, "space_to_depth",
           {{"x", {out.Operand(node, 0)}}, {"block_size", {out.Int(node.attributes.Int("blocksize", 1))}}});
}

void Identity(const Node& node, Program& out) { out.Emit(node, "identity", {{"x", {out.Operand(node, 0)}}}); }

constexpr OpEmitter kEmitters[] = {
    {OpKind::kReshape, Reshape},
    {OpKind::kFlatten, Flatten},
    {OpKind::kTranspose, Transpose},
    {OpKind::kSqueeze, Squeeze},
    {OpKind::kUnsqueeze, Unsqueeze, CheckUnsqueeze},
    {OpKind::kExpand, Expand},
    {OpKind::kTile, Tile},
    {OpKind::kDepthToSpace, DepthToSpace, CheckBlocks},
    {OpKind::kSpaceToDepth, SpaceToDepth, CheckBlocks},
    {OpKind::kIdentity, Identity},
};

}  // namespace

std::span<const OpEmitter> ReshapeEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
