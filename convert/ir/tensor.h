// Constant tensors: dense, row-major, little-endian, usually views into a mapped input file.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/types.h"

namespace slipway {

// Immutable and cheap to copy: the bytes are shared, `owner` keeps them alive. The bytes may be unaligned for their
// type: read single elements with At<T>() or take an aligned copy with Copy<T>().
class Tensor {
 public:
  Tensor() = default;
  // A view: no copy. data.size() must be the element count × SizeOf(type) (checked by CHECK-style assertion).
  Tensor(DataType type, std::vector<int64_t> shape, std::span<const std::byte> data, std::shared_ptr<const void> owner);

  // Owned tensors from values.
  template <typename T>
  static Tensor From(std::vector<int64_t> shape, const std::vector<T>& values);
  static Tensor Scalar(float value);
  static Tensor Int64s(const std::vector<int64_t>& values);  // rank 1
  static Tensor Float32s(const std::vector<float>& values);  // rank 1
  static Tensor Strings(std::vector<int64_t> shape, std::vector<std::string> values);
  // Zero-filled, and its bytes to write into before anyone else sees the tensor.
  static std::pair<Tensor, std::span<std::byte>> Allocate(DataType type, std::vector<int64_t> shape);

  DataType type() const { return type_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t size() const { return size_; }  // elements
  std::span<const std::byte> bytes() const { return data_; }
  const std::vector<std::string>& strings() const { return *strings_; }  // kString only
  // The same bytes under another shape of the same element count.
  Tensor Reshaped(std::vector<int64_t> shape) const;

  // T must be the C++ type of type(); fp16 and bf16 as uint16_t, bool as uint8_t.
  template <typename T>
  T At(int64_t index) const {
    T value;
    std::memcpy(&value, data_.data() + index * sizeof(T), sizeof(T));
    return value;
  }
  template <typename T>
  std::vector<T> Copy() const {
    std::vector<T> values(static_cast<size_t>(size_));
    if (size_ > 0) std::memcpy(values.data(), data_.data(), data_.size());
    return values;
  }
  // Every element converted from any numeric type (float types widened, bool 0/1). Empty for kString.
  std::vector<int64_t> ToInt64s() const;
  std::vector<double> ToDoubles() const;
  std::vector<float> ToFloats() const;
  // Converted copy (round to nearest even for float16 / bfloat16; C++ truncation float → integer); itself if `type` is
  // the same.
  Tensor Cast(DataType type) const;

  bool SameBytes(const Tensor& other) const;  // type, shape and bytes equal

 private:
  DataType type_ = DataType::kUndefined;
  std::vector<int64_t> shape_;
  int64_t size_ = 0;
  std::span<const std::byte> data_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const std::vector<std::string>> strings_;
};

template <typename T>
constexpr DataType DataTypeOf();  // float, double, int8_t … uint64_t, bool(uint8_t is kUInt8)

float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);  // round to nearest even; overflow to ±Inf

// The tensor with its axes in the order perm (result axis i is source axis perm[i]). A copy.
Tensor Transpose(const Tensor& tensor, const std::vector<int64_t>& perm);

template <>
constexpr DataType DataTypeOf<float>() {
  return DataType::kFloat32;
}
template <>
constexpr DataType DataTypeOf<double>() {
  return DataType::kFloat64;
}
template <>
constexpr DataType DataTypeOf<int8_t>() {
  return DataType::kInt8;
}
template <>
constexpr DataType DataTypeOf<int16_t>() {
  return DataType::kInt16;
}
template <>
constexpr DataType DataTypeOf<int32_t>() {
  return DataType::kInt32;
}
template <>
constexpr DataType DataTypeOf<int64_t>() {
  return DataType::kInt64;
}
template <>
constexpr DataType DataTypeOf<uint8_t>() {
  return DataType::kUInt8;
}
template <>
constexpr DataType DataTypeOf<uint16_t>() {
  return DataType::kUInt16;
}
template <>
constexpr DataType DataTypeOf<uint32_t>() {
  return DataType::kUInt32;
}
template <>
constexpr DataType DataTypeOf<uint64_t>() {
  return DataType::kUInt64;
}
template <>
constexpr DataType DataTypeOf<bool>() {
  return DataType::kBool;
}

template <typename T>
Tensor Tensor::From(std::vector<int64_t> shape, const std::vector<T>& values) {
  auto [tensor, bytes] = Allocate(DataTypeOf<T>(), std::move(shape));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return tensor;
}

}  // namespace slipway
