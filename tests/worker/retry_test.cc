// Error kind → what becomes of the task.
#include "worker/daemon/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace slipway {
namespace {

constexpr absl::Duration kBase = absl::Milliseconds(200);

std::optional<TaskReturn> After(Failure failure, int attempt, int kills = 0, uint64_t seed = 1) {
  Random jitter(seed);
  LeasedTask task;
  task.attempt = attempt;
  task.kills = kills;
  return RetryOf(failure, task, "why", kBase, jitter);
}

TEST(RetryRule, AModelsFaultIsNeverTriedAgain) { EXPECT_FALSE(After(Failure::kModel, 1)); }

TEST(RetryRule, ACrashIsTriedOnceAndElsewhere) {
  const auto how = After(Failure::kCrash, 1);
  ASSERT_TRUE(how);
  EXPECT_GT(how->elsewhere, absl::ZeroDuration());
  EXPECT_TRUE(how->count_attempt);
  EXPECT_TRUE(how->killed);
  EXPECT_FALSE(how->more_memory);
  EXPECT_EQ(how->reason, "why");
  EXPECT_FALSE(After(Failure::kCrash, 2, /*kills=*/1));
}

// A worker whose disk is full must not use up the attempts; a store that is away must not be asked three times in a row.
TEST(RetryRule, AMachinesFaultIsTriedElsewhereFirstAndThenLater) {
  EXPECT_GT(After(Failure::kMachine, 1)->elsewhere, absl::ZeroDuration());
  EXPECT_EQ(After(Failure::kMachine, 2)->elsewhere, absl::ZeroDuration());
  EXPECT_GT(After(Failure::kMachine, 2)->delay, absl::ZeroDuration());
}

TEST(RetryRule, OutOfMemoryAsksForMore) {
  const auto how = After(Failure::kOutOfMemory, 2, /*kills=*/1);
  ASSERT_TRUE(how);
  EXPECT_TRUE(how->more_memory);
  EXPECT_TRUE(how->count_attempt);
  EXPECT_TRUE(how->killed);
  EXPECT_EQ(how->elsewhere, absl::ZeroDuration());
}

TEST(RetryRule, WhatNeedsMoreThanATaskGetsGoesToALargerClassAtOnce) {
  const auto how = After(Failure::kMemoryLimit, 1);
  ASSERT_TRUE(how);
  EXPECT_TRUE(how->more_memory);
  EXPECT_TRUE(how->count_attempt);
  EXPECT_FALSE(how->killed);
  EXPECT_EQ(how->delay, absl::ZeroDuration());
}

TEST(RetryRule, WhatThisBuildDoesNotKnowIsLeftToOthersUncounted) {
  const auto how = After(Failure::kVersion, 1);
  ASSERT_TRUE(how);
  EXPECT_FALSE(how->count_attempt);
  EXPECT_FALSE(how->killed);
  EXPECT_GT(how->elsewhere, absl::ZeroDuration());
  EXPECT_GE(how->delay, absl::Seconds(5)) << "or the only worker would take it again and again";
}

TEST(RetryRule, AStoreThatIsDownCountsNothingAndIsNotAskedAgainAtOnce) {
  const auto how = After(Failure::kStoreDown, 1);
  ASSERT_TRUE(how);
  EXPECT_FALSE(how->count_attempt);
  EXPECT_FALSE(how->killed);
  EXPECT_GT(how->elsewhere, absl::ZeroDuration()) << "another machine may reach it";
  EXPECT_GE(how->delay, kBase / 2);
}

TEST(RetryRule, ADrainIsNobodysFault) {
  const auto how = After(Failure::kDrained, 2);
  ASSERT_TRUE(how);
  EXPECT_FALSE(how->count_attempt);
  EXPECT_FALSE(how->killed);
  EXPECT_EQ(how->delay, absl::ZeroDuration());
}

TEST(RetryRule, MachinesFaultsWaitLongerEachTimeSpreadByJitter) {
  std::set<absl::Duration> delays;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    for (int attempt = 1; attempt <= 6; ++attempt) {
      const absl::Duration delay = After(Failure::kMachine, attempt, 0, seed)->delay;
      EXPECT_GE(delay, kBase * (1 << (attempt - 1)) * 0.5);
      EXPECT_LT(delay, kBase * (1 << (attempt - 1)) * 1.5);
      if (attempt == 1) delays.insert(delay);
    }
    EXPECT_LT(After(Failure::kMachine, 1000, 0, seed)->delay, absl::Seconds(90));
  }
  EXPECT_GT(delays.size(), 40u);
  EXPECT_EQ(After(Failure::kMachine, 3)->delay, After(Failure::kMachine, 3)->delay) << "the seed decides";
}

}  // namespace
}  // namespace slipway
