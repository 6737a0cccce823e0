// MIL types and constants as the IR's.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "convert/ir/tensor.h"
#include "convert/ir/types.h"
#include "convert/targets/coreml/mil.pb.h"

namespace slipway::coreml_reader {

// UNIMPLEMENTED for element types without a counterpart (sub-byte ones).
absl::StatusOr<DataType> ElementType(coreml::mil::DataType type);

struct TensorInfo {
  DataType type = DataType::kUndefined;
  Shape shape;  // unknown sizes are fresh symbols
};
// INVALID_ARGUMENT when the rank and the number of dimensions differ; UNIMPLEMENTED for lists, dictionaries and states.
absl::StatusOr<TensorInfo> TensorInfoOf(const coreml::mil::ValueType& type);

// The bytes of the blob whose metadata stands at `offset` of weight.bin. Every field is checked: sentinel, element type, size, alignment, bounds.
absl::StatusOr<std::span<const std::byte>> WeightBlob(const MappedFile& weights, uint64_t offset, DataType type,
                                                      uint64_t bytes);

// An immediate value, or a view into `weights` (may be null).
absl::StatusOr<Tensor> ConstantOf(const coreml::mil::Value& value, const std::shared_ptr<const MappedFile>& weights);

}  // namespace slipway::coreml_reader
