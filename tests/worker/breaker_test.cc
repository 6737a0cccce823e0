// When a worker whose machine fails takes tasks.
#include "worker/daemon/breaker.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

class BreakerTest : public testing::Test {
 protected:
  bool May(char slot) { return breaker_.MayLease(&slots_[slot - 'a'], now_); }
  std::optional<absl::Duration> Ended(char slot, Health health) {
    return breaker_.Ended(&slots_[slot - 'a'], health, now_);
  }
  // Opens it; the pause.
  absl::Duration Fail(int times) {
    std::optional<absl::Duration> pause;
    for (int i = 0; i < times; ++i) pause = Ended('a', Health::kBroken);
    return pause.value_or(absl::ZeroDuration());
  }

  Breaker breaker_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  char slots_[3] = {};
};

TEST_F(BreakerTest, FailuresInARowOfAllSlotsOpenIt) {
  EXPECT_FALSE(Ended('a', Health::kBroken));
  EXPECT_FALSE(Ended('b', Health::kBroken));
  EXPECT_TRUE(May('a'));
  EXPECT_FALSE(breaker_.open());
  EXPECT_EQ(Ended('c', Health::kBroken), absl::Seconds(1));
  EXPECT_TRUE(breaker_.open());
  EXPECT_FALSE(May('a'));
  EXPECT_FALSE(May('b'));
  EXPECT_EQ(breaker_.AskAgain(), now_ + absl::Seconds(1));
}

TEST_F(BreakerTest, ATaskThatEndsWellBetweenThemCountsAnewOneThatSaysNothingDoesNot) {
  Fail(2);
  Ended('b', Health::kWell);
  EXPECT_EQ(Fail(2), absl::ZeroDuration());
  Ended('b', Health::kUnsaid);
  EXPECT_EQ(Fail(1), absl::Seconds(1));
}

TEST_F(BreakerTest, AfterThePauseOneSlotTriesOneTask) {
  now_ += Fail(3) - absl::Nanoseconds(1);
  EXPECT_FALSE(May('b'));
  now_ += absl::Nanoseconds(1);
  EXPECT_TRUE(May('b'));
  EXPECT_TRUE(May('b')) << "asked again before it has leased";
  EXPECT_FALSE(May('a'));
  EXPECT_EQ(breaker_.AskAgain(), absl::InfiniteFuture()) << "its end tells";
  EXPECT_FALSE(Ended('b', Health::kUnsaid));
  EXPECT_TRUE(May('b')) << "it goes on trying";
  EXPECT_FALSE(May('a'));
  Ended('b', Health::kWell);
  EXPECT_FALSE(breaker_.open());
  EXPECT_TRUE(May('a'));
  EXPECT_TRUE(May('c'));
}

TEST_F(BreakerTest, EachFailedTryDoublesThePauseUpToAMinute) {
  absl::Duration pause = Fail(3);
  for (const int seconds : {2, 4, 8, 16, 32, 60, 60}) {
    now_ += pause;
    ASSERT_TRUE(May('b'));
    const auto next = Ended('b', Health::kBroken);
    ASSERT_EQ(next, absl::Seconds(seconds));
    EXPECT_FALSE(May('b'));
    EXPECT_EQ(breaker_.AskAgain(), now_ + *next);
    pause = *next;
  }
  now_ += pause;
  ASSERT_TRUE(May('a'));
  Ended('a', Health::kWell);
  EXPECT_EQ(Fail(2), absl::ZeroDuration());
  EXPECT_EQ(Fail(1), absl::Seconds(1));
}

TEST_F(BreakerTest, WhatWasLeasedBeforeThePauseMayEndItButNotLengthenIt) {
  const absl::Time end = now_ + Fail(3);
  EXPECT_FALSE(Ended('b', Health::kBroken));
  EXPECT_EQ(breaker_.AskAgain(), end);
  now_ = end;
  ASSERT_TRUE(May('a'));
  EXPECT_FALSE(Ended('b', Health::kBroken));
  EXPECT_TRUE(May('a')) << "still trying";
  Ended('b', Health::kWell);
  EXPECT_TRUE(May('c'));
}

}  // namespace
}  // namespace slipway
