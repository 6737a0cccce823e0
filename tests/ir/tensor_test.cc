#include "convert/ir/tensor.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace slipway {
namespace {

// The compiler's own half type is the independent source.
TEST(Half, WidensAllValuesExactly) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float expected = static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits)));
    const float actual = HalfToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << bits;
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(actual), std::bit_cast<uint32_t>(expected)) << bits;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4093) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(FloatToHalf(value), std::bit_cast<uint16_t>(static_cast<_Float16>(value))) << value;
  }
  EXPECT_EQ(FloatToHalf(65519.0f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(0x1.0p-25f), 0);  // a tie goes to even
  EXPECT_EQ(FloatToHalf(0x1.8p-25f), 1);
}

TEST(Tensor, ReadsUnalignedBytes) {
  std::vector<std::byte> bytes(13);
  const float values[3] = {1.5f, -2.0f, 3.25f};
  std::memcpy(bytes.data() + 1, values, sizeof(values));
  const Tensor tensor(DataType::kFloat32, {3}, std::span(bytes).subspan(1), nullptr);
  EXPECT_EQ(tensor.At<float>(2), 3.25f);
  EXPECT_EQ(tensor.Copy<float>(), std::vector<float>({1.5f, -2.0f, 3.25f}));
}

TEST(Tensor, TransposesAsIndicesSay) {
  std::vector<int32_t> values(2 * 3 * 4 * 5);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i);
  const Tensor tensor = Tensor::From<int32_t>({2, 3, 4, 5}, values);
  const Tensor turned = Transpose(tensor, {0, 2, 3, 1});
  ASSERT_EQ(turned.shape(), (std::vector<int64_t>{2, 4, 5, 3}));
  for (int64_t n = 0, at = 0; n < 2; ++n) {
    for (int64_t h = 0; h < 4; ++h) {
      for (int64_t w = 0; w < 5; ++w) {
        for (int64_t c = 0; c < 3; ++c, ++at) EXPECT_EQ(turned.At<int32_t>(at), ((n * 3 + c) * 4 + h) * 5 + w);
      }
    }
  }
}

TEST(Tensor, CastsEveryType) {
  const Tensor floats = Tensor::Float32s({0.0f, 1.75f, -3.5f, 200.0f});
  EXPECT_EQ(floats.Cast(DataType::kInt32).Copy<int32_t>(), (std::vector<int32_t>{0, 1, -3, 200}));
  EXPECT_EQ(floats.Cast(DataType::kFloat16).ToFloats(), (std::vector<float>{0.0f, 1.75f, -3.5f, 200.0f}));
  EXPECT_EQ(floats.Cast(DataType::kBFloat16).ToDoubles(), (std::vector<double>{0.0, 1.75, -3.5, 200.0}));
  EXPECT_EQ(floats.Cast(DataType::kBool).ToInt64s(), (std::vector<int64_t>{0, 1, 1, 1}));
  EXPECT_EQ(Tensor::Int64s({-1, 300}).Cast(DataType::kUInt8).ToInt64s(), (std::vector<int64_t>{255, 44}));
  EXPECT_EQ(Tensor::Float32s({NAN, 1e30f}).Cast(DataType::kInt64).Copy<int64_t>(),
            (std::vector<int64_t>{0, INT64_MAX}));
}

TEST(Tensor, ComparesBytesNotValues) {
  EXPECT_TRUE(Tensor::Float32s({1, 2}).SameBytes(Tensor::Float32s({1, 2})));
  EXPECT_FALSE(Tensor::Float32s({1, 2}).SameBytes(Tensor::Float32s({1, 2}).Reshaped({1, 2})));
  EXPECT_FALSE(Tensor::Float32s({0.0f}).SameBytes(Tensor::Float32s({-0.0f})));
}

}  // namespace
}  // namespace slipway
