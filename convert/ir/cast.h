// The attribute `to` of Cast (and `dtype` of EyeLike): an integer, ONNX's code of the element type
// (TensorProto.DataType).
#pragma once

#include <cstdint>

#include "convert/ir/graph.h"

namespace slipway {

// 1 float32, 2 uint8, 3 int8, … ; 0 for kUndefined.
int64_t ElementTypeCode(DataType type);
DataType ElementTypeOfCode(int64_t code);  // kUndefined if the dialect has no such type

// Of a Cast to `type`.
Attributes CastTo(DataType type);

// What a Cast makes; kUndefined when its attribute is missing or unknown.
DataType CastType(const Node& cast);

}  // namespace slipway
