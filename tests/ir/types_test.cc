#include "convert/ir/types.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

const Dim kH = Dim::Symbol("H");

TEST(Dim, LinearFormsAreCanonical) {
  EXPECT_EQ(kH + kH + Dim(3), Dim(2) * kH + Dim(1) + Dim(2));
  EXPECT_EQ(kH - kH, Dim(0));
  EXPECT_TRUE((kH - kH).IsKnown());
  EXPECT_FALSE(kH == kH + Dim(1));
  EXPECT_FALSE(kH == Dim::Symbol("W"));
  EXPECT_FALSE(Dim::Unknown() == Dim::Unknown());
}

TEST(Dim, FloorDivisionTakesOutWholeParts) {
  EXPECT_EQ(FloorDiv(Dim(4) * kH + Dim(6), Dim(2)), Dim(2) * kH + Dim(3));
  EXPECT_EQ(FloorDiv(kH + Dim(5), Dim(2)), FloorDiv(kH + Dim(1), Dim(2)) + Dim(2));
  EXPECT_EQ(FloorDiv(Dim(-7), Dim(2)), Dim(-4));
  EXPECT_EQ(FloorDiv(Dim(8) * kH + Dim(3), Dim(16)), FloorDiv(kH, Dim(2)));
  EXPECT_EQ(FloorDiv(FloorDiv(kH - Dim(1), Dim(2)) + Dim(3), Dim(4)), FloorDiv(kH + Dim(5), Dim(8)));
  EXPECT_EQ(FloorDiv(Dim(6) * kH - Dim(5), Dim(4)), FloorDiv(Dim(3) * kH - Dim(3), Dim(2)));
  EXPECT_EQ(FloorDiv(kH * Dim::Symbol("W"), kH), Dim::Symbol("W"));
}

TEST(Dim, EvaluatesLikeTheArithmeticItStandsFor) {
  const Dim w = Dim::Symbol("W");
  for (int64_t h = 1; h < 40; ++h) {
    for (int64_t stride = 1; stride < 5; ++stride) {
      const Dim pooled = FloorDiv(Dim(3) * kH - Dim(5) + w, Dim(stride)) + CeilDiv(kH, Dim(stride)) * w;
      const int64_t numerator = 3 * h - 5 + 2 * h;
      const int64_t floor = numerator >= 0 ? numerator / stride : -((-numerator + stride - 1) / stride);
      EXPECT_EQ(pooled.Evaluate({{"H", h}, {"W", 2 * h}}), floor + (h + stride - 1) / stride * 2 * h)
          << h << " / " << stride;
    }
  }
  EXPECT_EQ((kH + w).Evaluate({{"H", 1}}), std::nullopt);
}

TEST(Dim, SaysWhatItIs) {
  EXPECT_EQ((Dim(2) * kH - Dim(1)).ToString(), "2*H - 1");
  EXPECT_EQ((FloorDiv(kH - Dim(3), Dim(2)) + Dim(1)).ToString(), "floor((H + 1) / 2) - 1");
  EXPECT_EQ(ToString(Shape{1, 3, kH, 4}), "[1, 3, H, 4]");
  std::vector<std::string> symbols;
  FloorDiv(kH * Dim::Symbol("W"), Dim(3)).CollectSymbols(symbols);
  EXPECT_EQ(symbols.size(), 2u);
}

// Of sizes that a damaged file claims. No product or sum of them may become another, small size.
TEST(Dim, WhatDoesNotFitIsNoNumber) {
  const Dim huge(INT64_MAX), least(INT64_MIN);
  for (const Dim& overflow :
       {huge + Dim(1), least - Dim(1), huge * huge, least * Dim(-1), FloorDiv(least, Dim(-1)), Dim(2) * (huge * kH),
        huge * kH + kH, huge * (kH + Dim(2)), FloorDiv(huge * Dim(4), kH)}) {
    EXPECT_FALSE(overflow.IsKnown()) << overflow.value();
    EXPECT_TRUE(overflow.Overflows()) << overflow.ToString();
    EXPECT_FALSE(overflow == huge + Dim(1));
  }
  for (const Dim& size : {huge, least, huge * kH, FloorDiv(kH, huge), Dim::Unknown()}) EXPECT_FALSE(size.Overflows());
  EXPECT_EQ((huge * kH).Evaluate({{"H", 2}}), std::nullopt);
  EXPECT_EQ((kH * kH).Evaluate({{"H", int64_t{1} << 40}}), std::nullopt);
  EXPECT_EQ((least * kH).ToString(), "-9223372036854775808*H");
  EXPECT_EQ((kH + least).ToString(), "H - 9223372036854775808");
}

TEST(Dim, ExpressionsDoNotGrowWithoutEnd) {
  Dim power = kH, sum(0), quotient = kH;
  for (int i = 0; i < 200; ++i) {
    power = power * power;
    quotient = FloorDiv(quotient + Dim(1), kH);
    sum = sum + Dim::Symbol("s" + std::to_string(i));
  }
  for (const Dim& size : {power, quotient, sum}) EXPECT_LT(size.ToString().size(), 5000u);
}

TEST(Shape, CountsElementsWithoutOverflow) {
  EXPECT_EQ(ElementCount({}), 1);
  EXPECT_EQ(ElementCount({2, 3}), 6);
  EXPECT_EQ(ElementCount({int64_t{1} << 40, int64_t{1} << 40}), -1);
  EXPECT_EQ(ElementCount({int64_t{1} << 40, int64_t{1} << 40, 0}), 0);
  EXPECT_EQ(ElementCount({2, -1}), -1);
}

}  // namespace
}  // namespace slipway
