#include "common/base/nearest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NearestTest, DistancesAreLevenshteins) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("sitting", "kitten"), 3u);
  EXPECT_EQ(EditDistance("flaw", "lawn"), 2u);
}

TEST(NearestTest, NamesThatContainItComeFirst) {
  const std::vector<std::string> names = {"conv_10/output", "cone", "conv_1", "pool", "conv"};
  EXPECT_THAT(NearestNames("conv", names, 4), ElementsAre("conv", "conv_1", "conv_10/output", "cone"));
  EXPECT_THAT(NearestNames("pol", names, 1), ElementsAre("pool"));
  EXPECT_THAT(NearestNames("x", {"b", "a"}), ElementsAre("a", "b"));
  EXPECT_THAT(NearestNames("x", {}), IsEmpty());
}

}  // namespace
}  // namespace slipway
