// What a coordinator's garbage collection keeps: all that a request of the queue names.
#include "coordinator/service/garbage_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/task/task.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

class GarbageCollectorTest : public testing::Test {
 protected:
  Digest Blob(std::string_view bytes) { return WriteBlob(*farm_.store, kTenant, bytes).value(); }
  std::vector<Digest> Missing(const std::vector<Digest>& wanted) {
    return farm_.store->FindMissing(kTenant, wanted).value();
  }
  bool Bound() {
    const absl::Time patience = absl::Now() + absl::Seconds(20);
    while (farm_.store->Farm().value() != farm_.queue->FarmId().value()) {
      if (absl::Now() > patience) return false;
      std::this_thread::yield();
    }
    return true;
  }
  const absl::Time tomorrow_ = absl::Now() + absl::Hours(25);
  TestFarm farm_;
};

TEST_F(GarbageCollectorTest, WhatRequestsNameStays) {
  RequestSpec spec;
  spec.models = {{"net", "onnx", "", {{"net.onnx", "", Blob("weights")}, {"net.data", "net.data", Blob("data")}}}};
  spec.tasks = {{SpecTask::Kind::kPrepare, 0, "", "", -1}, {SpecTask::Kind::kCell, 0, "onnx", "fp32", 0}};
  TaskResult prepared{.entry = "{}", .reference = Blob("reference")};
  TaskResult made{.entry = "{}", .files = {{"net.onnx", Blob("artifact")}}, .parity = Blob("parity")};
  made.emitted = Blob("emitted");
  const std::vector<Digest> named = {Blob("weights"),         Blob("data"),        Blob("reference"),
                                     Blob("artifact"),        Blob("parity"),      Blob("emitted"),
                                     Blob(prepared.ToJson()), Blob(made.ToJson()), Blob(spec.ToJson())};
  const std::vector<Digest> unnamed = {Blob("an upload without a request"), Blob("a result that was fenced off")};
  QueuedRequest request{.id = "0-" + RandomHex(16), .spec = Blob(spec.ToJson()).ToString()};
  request.tasks = {{.index = 0}, {.index = 1, .blocked_by = 0}};
  ASSERT_TRUE(farm_.queue->Submit(request).ok());
  for (const std::string& result : {prepared.ToJson(), made.ToJson()}) {
    const std::optional<LeasedTask> task = farm_.Lease();
    ASSERT_TRUE(task.has_value());
    farm_.Commit(*task, TaskState::kPassed, result);
  }

  GarbageCollector collector({}, *farm_.queue, *farm_.store);
  ASSERT_TRUE(Bound());
  GarbageReport report = collector.Collect(absl::Now()).value();
  EXPECT_EQ(report.young, named.size() + unnamed.size());
  report = collector.Collect(tomorrow_).value();
  EXPECT_EQ(report.referenced, named.size());
  EXPECT_EQ(report.removed, unnamed.size());
  EXPECT_THAT(Missing(named), IsEmpty());
  EXPECT_THAT(Missing(unnamed), UnorderedElementsAreArray(unnamed));
  // A request that is forgotten names nothing any more.
  ASSERT_TRUE(farm_.queue->Delete(request.id).ok());
  EXPECT_EQ(collector.Collect(tomorrow_)->removed, named.size());
}

TEST_F(GarbageCollectorTest, AnotherFarmsStoreIsOnlyCollectedOnceAdopted) {
  const Digest blob = Blob("of a farm that may still live");
  ASSERT_TRUE(farm_.store->Bind("another farm").ok());
  {
    GarbageCollector collector({}, *farm_.queue, *farm_.store);
    EXPECT_EQ(collector.Collect(tomorrow_).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(farm_.store->Farm().value(), "another farm");
  EXPECT_THAT(Missing({blob}), IsEmpty());
  GarbageCollector collector({.adopt = true}, *farm_.queue, *farm_.store);
  ASSERT_TRUE(Bound());
  EXPECT_EQ(collector.Collect(tomorrow_)->removed, 1u);
  EXPECT_THAT(Missing({blob}), ElementsAre(blob));
}

// A queue that was lost comes back as another farm: its missing requests prove nothing about the blobs.
TEST_F(GarbageCollectorTest, ALostQueueIsAnotherFarm) {
  const std::string id = farm_.queue->FarmId().value();
  EXPECT_EQ(farm_.queue->FarmId().value(), id);
  RedisServer other;
  const auto queue = ConnectQueue({.address = other.address()}).value();
  EXPECT_NE(queue->FarmId().value(), id);
}

}  // namespace
}  // namespace slipway
