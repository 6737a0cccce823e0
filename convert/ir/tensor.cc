#include "convert/ir/tensor.h"

#include <bit>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "common/base/error.h"

namespace slipway {
namespace {

// Breaking Tensor's contract is a bug in the caller, never a property of its input.
void Require(bool holds, const char* what) {
  if (holds) return;
  fmt::print(stderr, "slipway: {}\n", what);
  std::abort();
}

uint16_t FloatToBFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40);  // NaN stays NaN
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

float BFloatToFloat(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

// Calls visit(get), get(i) being element i in the tensor's own arithmetic type (halves widened to float).
template <typename Visit>
void VisitElements(const Tensor& t, Visit visit) {
  switch (t.type()) {
    case DataType::kFloat32:
      return visit([&](int64_t i) { return t.At<float>(i); });
    case DataType::kFloat64:
      return visit([&](int64_t i) { return t.At<double>(i); });
    case DataType::kFloat16:
      return visit([&](int64_t i) { return HalfToFloat(t.At<uint16_t>(i)); });
    case DataType::kBFloat16:
      return visit([&](int64_t i) { return BFloatToFloat(t.At<uint16_t>(i)); });
    case DataType::kInt8:
      return visit([&](int64_t i) { return t.At<int8_t>(i); });
    case DataType::kInt16:
      return visit([&](int64_t i) { return t.At<int16_t>(i); });
    case DataType::kInt32:
      return visit([&](int64_t i) { return t.At<int32_t>(i); });
    case DataType::kInt64:
      return visit([&](int64_t i) { return t.At<int64_t>(i); });
    case DataType::kUInt8:
      return visit([&](int64_t i) { return t.At<uint8_t>(i); });
    case DataType::kBool:
      return visit([&](int64_t i) { return static_cast<uint8_t>(t.At<uint8_t>(i) != 0); });
    case DataType::kUInt16:
      return visit([&](int64_t i) { return t.At<uint16_t>(i); });
    case DataType::kUInt32:
      return visit([&](int64_t i) { return t.At<uint32_t>(i); });
    case DataType::kUInt64:
      return visit([&](int64_t i) { return t.At<uint64_t>(i); });
    case DataType::kString:
    case DataType::kUndefined:
      return;
  }
}

// A float outside the integer's range is undefined behaviour in C++: it goes through int64 or saturates there.
template <typename To, typename From>
To Convert(From value) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (!(value == value)) return 0;
    if constexpr (std::is_same_v<To, uint64_t>) {
      if (value >= 9223372036854775808.0) {
        return value >= 18446744073709551616.0 ? UINT64_MAX : static_cast<uint64_t>(value);
      }
    }
    if (value >= 9223372036854775808.0) return static_cast<To>(INT64_MAX);
    if (value <= -9223372036854775808.0) return static_cast<To>(INT64_MIN);
    return static_cast<To>(static_cast<int64_t>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <typename To>
std::vector<To> ConvertAll(const Tensor& tensor) {
  std::vector<To> values;
  values.reserve(static_cast<size_t>(tensor.size()));
  VisitElements(tensor, [&](auto get) {
    for (int64_t i = 0; i < tensor.size(); ++i) values.push_back(Convert<To>(get(i)));
  });
  return values;
}

template <typename To, typename Finish>
void CastInto(const Tensor& tensor, std::span<std::byte> out, Finish finish) {
  VisitElements(tensor, [&](auto get) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      const auto value = finish(Convert<To>(get(i)));
      std::memcpy(out.data() + i * sizeof(value), &value, sizeof(value));
    }
  });
}

template <typename To>
void CastInto(const Tensor& tensor, std::span<std::byte> out) {
  CastInto<To>(tensor, out, [](To value) { return value; });
}

}  // namespace

Tensor::Tensor(DataType type, std::vector<int64_t> shape, std::span<const std::byte> data,
               std::shared_ptr<const void> owner)
    : type_(type), shape_(std::move(shape)), size_(ElementCount(shape_)), data_(data), owner_(std::move(owner)) {
  Require(size_ >= 0 && data_.size() == static_cast<size_t>(size_) * SizeOf(type_),
          "a tensor's bytes do not fit its shape");
}

Tensor Tensor::Scalar(float value) { return From<float>({}, {value}); }
Tensor Tensor::Int64s(const std::vector<int64_t>& values) {
  return From<int64_t>({static_cast<int64_t>(values.size())}, values);
}
Tensor Tensor::Float32s(const std::vector<float>& values) {
  return From<float>({static_cast<int64_t>(values.size())}, values);
}

Tensor Tensor::Strings(std::vector<int64_t> shape, std::vector<std::string> values) {
  Tensor tensor;
  tensor.type_ = DataType::kString;
  tensor.shape_ = std::move(shape);
  tensor.size_ = ElementCount(tensor.shape_);
  Require(tensor.size_ == static_cast<int64_t>(values.size()), "a string tensor's values do not fit its shape");
  tensor.strings_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return tensor;
}

std::pair<Tensor, std::span<std::byte>> Tensor::Allocate(DataType type, std::vector<int64_t> shape) {
  const int64_t count = ElementCount(shape);
  Require(count >= 0, "a tensor's size overflows");
  const size_t bytes = static_cast<size_t>(count) * SizeOf(type);
  // calloc: large tensors get zero pages without touching them; aligned for every element type.
  std::shared_ptr<std::byte> storage(static_cast<std::byte*>(std::calloc(std::max<size_t>(bytes, 1), 1)), std::free);
  if (storage == nullptr)
    throw std::bad_alloc();  // as every other allocation: what becomes of it is the process's to say
  std::span<std::byte> writable(storage.get(), bytes);
  return {Tensor(type, std::move(shape), writable, std::shared_ptr<const void>(storage)), writable};
}

Tensor Tensor::Reshaped(std::vector<int64_t> shape) const {
  Tensor result = *this;
  Require(ElementCount(shape) == size_, "a reshape changes the element count");
  result.shape_ = std::move(shape);
  return result;
}

std::vector<int64_t> Tensor::ToInt64s() const { return ConvertAll<int64_t>(*this); }
std::vector<double> Tensor::ToDoubles() const { return ConvertAll<double>(*this); }
std::vector<float> Tensor::ToFloats() const { return ConvertAll<float>(*this); }

Tensor Tensor::Cast(DataType type) const {
  if (type == type_) return *this;
  auto [result, out] = Allocate(type, shape_);
  switch (type) {
    case DataType::kFloat32:
      CastInto<float>(*this, out);
      break;
    case DataType::kFloat64:
      CastInto<double>(*this, out);
      break;
    case DataType::kFloat16:
      CastInto<float>(*this, out, FloatToHalf);
      break;
    case DataType::kBFloat16:
      CastInto<float>(*this, out, FloatToBFloat);
      break;
    case DataType::kInt8:
      CastInto<int8_t>(*this, out);
      break;
    case DataType::kInt16:
      CastInto<int16_t>(*this, out);
      break;
    case DataType::kInt32:
      CastInto<int32_t>(*this, out);
      break;
    case DataType::kInt64:
      CastInto<int64_t>(*this, out);
      break;
    case DataType::kUInt8:
      CastInto<uint8_t>(*this, out);
      break;
    case DataType::kUInt16:
      CastInto<uint16_t>(*this, out);
      break;
    case DataType::kUInt32:
      CastInto<uint32_t>(*this, out);
      break;
    case DataType::kUInt64:
      CastInto<uint64_t>(*this, out);
      break;
    case DataType::kBool:
      VisitElements(*this, [&, bytes = out](auto get) {
        for (int64_t i = 0; i < size_; ++i) bytes[static_cast<size_t>(i)] = std::byte{get(i) != 0};
      });
      break;
    case DataType::kString:
    case DataType::kUndefined:
      break;
  }
  return result;
}

bool Tensor::SameBytes(const Tensor& other) const {
  if (type_ != other.type_ || shape_ != other.shape_) return false;
  if (type_ == DataType::kString) return *strings_ == *other.strings_;
  if (data_.data() == other.data_.data()) return data_.size() == other.data_.size();
  return data_.size() == other.data_.size() &&
         (data_.empty() || std::memcmp(data_.data(), other.data_.data(), data_.size()) == 0);
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  uint32_t mantissa = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;  // subnormal
  return sign != 0 ? -magnitude : magnitude;
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x1ff));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00);  // ≥ 65520 rounds to infinity
  if (magnitude >= 0x38800000u) {                                             // normal: rebias, round to nearest even
    const uint32_t rebiased = magnitude - (112u << 23);
    return static_cast<uint16_t>(sign | ((rebiased + 0xfffu + ((rebiased >> 13) & 1)) >> 13));
  }
  // Subnormal: adding 0.5 puts the 2^-24 steps at the end of the float's mantissa, rounded to nearest even by the
  // addition.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
}

Tensor Transpose(const Tensor& tensor, const std::vector<int64_t>& perm) {
  const size_t rank = tensor.shape().size();
  Require(perm.size() == rank, "a permutation does not fit its tensor");
  std::vector<int64_t> source_strides(rank, 1), shape(rank), strides(rank);
  for (size_t i = rank; i-- > 1;) source_strides[i - 1] = source_strides[i] * tensor.shape()[i];
  for (size_t i = 0; i < rank; ++i) {
    shape[i] = tensor.shape()[static_cast<size_t>(perm[i])];
    strides[i] = source_strides[static_cast<size_t>(perm[i])];
  }
  if (tensor.type() == DataType::kString) {
    std::vector<std::string> values;
    std::vector<int64_t> at(rank, 0);
    for (int64_t n = 0; n < tensor.size(); ++n) {
      int64_t offset = 0;
      for (size_t i = 0; i < rank; ++i) offset += at[i] * strides[i];
      values.push_back(tensor.strings()[static_cast<size_t>(offset)]);
      for (size_t i = rank; i-- > 0 && ++at[i] == shape[i];) at[i] = 0;
    }
    return Tensor::Strings(shape, std::move(values));
  }
  auto [result, out] = Tensor::Allocate(tensor.type(), shape);
  if (tensor.size() == 0 || rank == 0) {
    if (!out.empty()) std::memcpy(out.data(), tensor.bytes().data(), out.size());
    return result;
  }
  const size_t element = SizeOf(tensor.type());
  const std::byte* source = tensor.bytes().data();
  auto copy_rows = [&]<size_t kBytes>(std::integral_constant<size_t, kBytes>) {
    const int64_t row = shape[rank - 1], step = strides[rank - 1] * static_cast<int64_t>(kBytes);
    std::byte* to = out.data();
    std::vector<int64_t> at(rank, 0);
    int64_t base = 0;
    for (int64_t done = 0; done < tensor.size(); done += row) {
      const std::byte* from = source + base * static_cast<int64_t>(kBytes);
      for (int64_t i = 0; i < row; ++i, from += step, to += kBytes) std::memcpy(to, from, kBytes);
      for (size_t i = rank - 1; i-- > 0;) {
        base += strides[i];
        if (++at[i] < shape[i]) break;
        base -= strides[i] * shape[i];
        at[i] = 0;
      }
    }
  };
  switch (element) {
    case 1:
      copy_rows(std::integral_constant<size_t, 1>());
      break;
    case 2:
      copy_rows(std::integral_constant<size_t, 2>());
      break;
    case 4:
      copy_rows(std::integral_constant<size_t, 4>());
      break;
    default:
      copy_rows(std::integral_constant<size_t, 8>());
      break;
  }
  return result;
}

}  // namespace slipway
