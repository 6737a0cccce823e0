#include "convert/ir/cast.h"

#include <array>

namespace slipway {
namespace {

// By code: TensorProto.DataType of onnx.proto.
constexpr std::array<DataType, 17> kByCode = {
    DataType::kUndefined, DataType::kFloat32, DataType::kUInt8,  DataType::kInt8,   DataType::kUInt16,
    DataType::kInt16,     DataType::kInt32,   DataType::kInt64,  DataType::kString, DataType::kBool,
    DataType::kFloat16,   DataType::kFloat64, DataType::kUInt32, DataType::kUInt64, DataType::kUndefined,
    DataType::kUndefined, DataType::kBFloat16};

}  // namespace

int64_t ElementTypeCode(DataType type) {
  for (size_t code = 1; code < kByCode.size(); ++code) {
    if (kByCode[code] == type && type != DataType::kUndefined) return static_cast<int64_t>(code);
  }
  return 0;
}

DataType ElementTypeOfCode(int64_t code) {
  return code > 0 && code < static_cast<int64_t>(kByCode.size()) ? kByCode[code] : DataType::kUndefined;
}

Attributes CastTo(DataType type) {
  Attributes attributes;
  attributes.Set("to", ElementTypeCode(type));
  return attributes;
}

DataType CastType(const Node& cast) { return ElementTypeOfCode(cast.attributes.Int("to", 0)); }

}  // namespace slipway
