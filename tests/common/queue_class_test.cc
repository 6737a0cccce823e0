// Task classes: who gets which, in what order, and what is said of those that nobody offers.
#include <map>
#include <set>

#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

class ClassTest : public QueueTest {
 protected:
  static QueuedRequest InClass(const std::string& name, const std::string& task_class, int tasks) {
    QueuedRequest request = Request(name, tasks);
    for (QueuedTask& task : request.tasks) task.task_class = task_class;
    return request;
  }
  std::optional<LeasedTask> LeaseOf(const std::vector<std::string>& classes, const std::string& worker = "w1") {
    return queue_->Lease({.worker = worker, .token = RandomHex(16), .classes = classes}).value();
  }
  void SignOn(const std::string& worker, const std::vector<std::string>& classes) {
    EXPECT_TRUE(queue_->Heartbeat({.id = worker, .classes = classes, .last_seen = {}}, {}).ok());
  }
  int64_t Live() { return Number(Redis({"ZCARD", Key("live")}).get()); }
};

TEST_F(ClassTest, AWorkerGetsWhatItOffersOnly) {
  QueuedRequest request = Request("a", 3);
  request.tasks[1].task_class = "gpu+8g";
  Submit(request);
  EXPECT_FALSE(LeaseOf({"other"}));
  EXPECT_FALSE(LeaseOf({}));
  const LeasedTask task = *LeaseOf({"gpu+8g"});
  EXPECT_EQ(task.index, 1u);
  EXPECT_EQ(task.task_class, "gpu+8g");
  EXPECT_FALSE(LeaseOf({"gpu+8g"}));
  EXPECT_EQ(LeaseOf({"gpu+8g", "any"})->task_class, "any");
  EXPECT_EQ(Task("0-a", 1).task_class, "gpu+8g");
}

// However many tasks wait in one, and in whatever order the worker names them.
TEST_F(ClassTest, ClassesTakeTurns) {
  Submit(InClass("large", "ncnn", 300));
  for (int i = 0; i < 100; ++i) Commit(*LeaseOf({"litert", "any", "ncnn"}));
  Submit(InClass("small", "litert", 20));
  Submit(InClass("other", "any", 20));
  std::map<std::string, int> served;
  for (int i = 0; i < 30; ++i) {
    const LeasedTask task = *LeaseOf({"ncnn", "litert", "any"});
    ++served[task.task_class];
    Commit(task);
  }
  for (const char* name : {"any", "litert", "ncnn"}) EXPECT_EQ(served[name], 10) << name;
}

// A class that is empty again and again (one task after the other) does not come before those with a backlog each time.
TEST_F(ClassTest, AClassThatComesAndGoesDoesNotStarveTheOthers) {
  Submit(InClass("large", "ncnn", 300));
  int large = 0;
  for (int i = 0; i < 40; ++i) {
    Submit(InClass("small" + std::to_string(i), "litert", 1));
    const LeasedTask task = *LeaseOf({"litert", "ncnn"});
    if (task.task_class == "ncnn") ++large;
    Commit(task);
    LeaseOf({"other"});
  }
  EXPECT_GE(large, 19);
  EXPECT_LE(large, 21);
}

TEST_F(ClassTest, AClassWithoutTasksIsLookedAtOnce) {
  Submit(InClass("a", "ncnn", 2));
  Submit(InClass("b", "any", 1));
  EXPECT_EQ(Live(), 2);
  while (auto task = LeaseOf({"any", "ncnn"})) Commit(*task);
  EXPECT_EQ(Live(), 0);
  Submit(InClass("c", "ncnn", 1));
  EXPECT_TRUE(LeaseOf({"any", "ncnn"}));
}

TEST_F(ClassTest, WhatAnotherWorkerFailedComesFirstInAnyClass) {
  SignOn("w1", {"any", "ncnn"});
  SignOn("w2", {"any", "ncnn"});
  Submit(InClass("a", "ncnn", 1));
  Submit(InClass("b", "any", 2));
  LeasedTask failed = *LeaseOf({"ncnn"});
  EXPECT_TRUE(queue_->Return(failed, {.killed = true, .elsewhere = absl::Minutes(1), .reason = "SIGSEGV"}).ok());
  EXPECT_EQ(LeaseOf({"any", "ncnn"}, "w1")->task_class, "any");
  EXPECT_FALSE(LeaseOf({"litert"}, "w2"));
  EXPECT_EQ(LeaseOf({"any", "ncnn"}, "w2")->request, "0-a");
  EXPECT_EQ(LeaseOf({"any", "ncnn"}, "w2")->task_class, "any");
  EXPECT_FALSE(LeaseOf({"any", "ncnn"}, "w2"));
  EXPECT_EQ(Live(), 0);
}

TEST_F(ClassTest, ADeadlineSaysWhichWorkersWereMissing) {
  SignOn("w1", {"any", "ncnn"});
  SignOn("dead", {"litert"});
  Redis({"ZADD", Key("seen"), "1", "dead"});
  QueuedRequest request = InClass("a", "litert", 4);
  request.tasks[3].task_class = "ncnn";
  request.timeout = absl::Seconds(90);
  Submit(request);
  Maintain();
  SignOn("w1", {"any", "ncnn"});
  Redis({"ZADD", Key("deadlines"), "XX", "1", "0-a"});
  Maintain();
  EXPECT_EQ(Task("0-a", 0).state, TaskState::kCancelled);
  EXPECT_EQ(Task("0-a", 0).reason,
            "cancelled: not finished within its timeout of 90 s; no worker offers litert: 3 tasks waited");
}

}  // namespace
}  // namespace slipway
