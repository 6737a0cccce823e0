// Who is served first.
#include <algorithm>
#include <map>

#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using testing::Contains;

TEST_F(QueueTest, TwoRequestsShareEvenly) {
  Submit(Request("large", 200));
  for (int i = 0; i < 50; ++i) Commit(*Lease());
  Submit(Request("small", 10));
  std::map<std::string, int> served;
  for (int i = 0; i < 20; ++i) {
    LeasedTask task = *Lease();
    ++served[task.request];
    Commit(task);
  }
  // One after the other, with at most one of the large one's served before the small one's first.
  EXPECT_GE(served["0-small"], 9);
  EXPECT_LE(served["0-small"], 10);
}

TEST_F(QueueTest, ARequestThatHadTheFarmToItselfIsNotPunishedLater) {
  Submit(Request("first", 100));
  for (int i = 0; i < 60; ++i) Commit(*Lease());
  Submit(Request("second", 100));
  std::map<std::string, int> served;
  for (int i = 0; i < 20; ++i) ++served[Lease()->request];
  EXPECT_GE(served["0-first"], 9);
  EXPECT_GE(served["0-second"], 9);
}

// Flows of equal time are served by their ids, which are random: who comes later must not be of equal time.
TEST_F(QueueTest, ASmallRequestIsNotOvertakenForEverByThoseThatComeLater) {
  Submit(Request("z", 1));
  Submit(Request("y", 1));
  std::vector<std::string> order;
  for (int i = 0; i < 6; ++i) {
    Submit(Request("a" + std::to_string(i), 1));
    order.push_back(Lease()->request);
  }
  EXPECT_THAT(order, Contains("0-z"));
  EXPECT_THAT(order, Contains("0-y"));
}

TEST_F(QueueTest, CostCountsAgainstAFlow) {
  QueuedRequest heavy = Request("heavy", 40), light = Request("light", 40);
  for (QueuedTask& task : heavy.tasks) task.cost = 3;
  Submit(heavy);
  Submit(light);
  std::map<std::string, int> served;
  for (int i = 0; i < 40; ++i) ++served[Lease()->request];
  EXPECT_NEAR(served["0-light"], 30, 1);
}

TEST_F(QueueTest, HigherPrioritiesComeFirst) {
  QueuedRequest low = Request("low", 2), high = Request("high", 2), middle = Request("middle", 2);
  low.priority = -100;
  high.priority = 100;
  Submit(low);
  Submit(middle);
  Submit(high);
  std::vector<std::string> order;
  for (int i = 0; i < 6; ++i) order.push_back(Lease()->request);
  EXPECT_EQ(order, (std::vector<std::string>{"0-high", "0-high", "0-middle", "0-middle", "0-low", "0-low"}));
}

TEST_F(QueueTest, TasksOfARequestAreServedInOrder) {
  Submit(Request("a", 120));
  for (uint32_t i = 0; i < 120; ++i) EXPECT_EQ(Lease()->index, i);
}

TEST_F(QueueTest, RequestsAreListedNewestFirstByPages) {
  for (int i = 0; i < 7; ++i) Submit(Request("r" + std::to_string(i)));
  QueuedRequest other = Request("other");
  other.tenant = "someone-else";
  Submit(other);
  std::vector<std::string> ids;
  std::string page;
  int pages = 0;
  do {
    auto [requests, next] = queue_->ListRequests("default", 3, page).value();
    EXPECT_LE(requests.size(), 3u);
    for (const RequestView& request : requests) ids.push_back(request.id);
    page = next;
    ++pages;
  } while (!page.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(ids, (std::vector<std::string>{"0-r6", "0-r5", "0-r4", "0-r3", "0-r2", "0-r1", "0-r0"}));
  EXPECT_EQ(queue_->ListRequests("someone-else", 1, "").value().second, "");
  EXPECT_EQ(queue_->ListRequests("default", 3, "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(QueueTest, TheCursorShowsWhatChangedSince) {
  Submit(Request("a", 5));
  std::vector<TaskView> all = queue_->ListTasks("0-a", 0, 100).value();
  ASSERT_EQ(all.size(), 5u);
  uint64_t cursor = all.back().version;
  EXPECT_EQ(cursor, View("0-a").version);
  EXPECT_TRUE(queue_->ListTasks("0-a", cursor, 100).value().empty());
  LeasedTask first = *Lease();
  LeasedTask second = *Lease();
  Commit(first);
  std::vector<TaskView> changed = queue_->ListTasks("0-a", cursor, 100).value();
  ASSERT_EQ(changed.size(), 2u);
  EXPECT_EQ(changed[0].index, second.index);  // the oldest change first
  EXPECT_EQ(changed[1].index, first.index);
  EXPECT_EQ(changed[1].state, TaskState::kPassed);
  EXPECT_GT(changed[1].version, changed[0].version);
}

TEST_F(QueueTest, PagesOfTasksMissNone) {
  Submit(Request("a", 2345));
  std::vector<bool> seen(2345);
  uint64_t cursor = 0;
  while (true) {
    std::vector<TaskView> page = queue_->ListTasks("0-a", cursor, 700).value();
    if (page.empty()) break;
    EXPECT_LE(page.size(), 700u);
    for (const TaskView& task : page) {
      EXPECT_GT(task.version, cursor);
      EXPECT_FALSE(seen[task.index]);
      seen[task.index] = true;
      cursor = task.version;
    }
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 2345);
}

}  // namespace
}  // namespace slipway
