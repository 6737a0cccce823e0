// Watch over real gRPC and Redis: the snapshot, changes, resuming, ending.
#include <gtest/gtest.h>

#include "tests/coordinator/watching.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

class WatchTest : public testing::Test {
 protected:
  WatchTest() : exports(v1::ExportService::NewStub(farm.OpenChannel())) {}

  std::string Submit(int models) {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    EXPECT_TRUE(exports->Submit(&context, NoopRequest(models), &response).ok());
    return response.request_id();
  }
  static int Count(const Watching& watching, v1::CellState state) {
    int count = 0;
    for (const auto& [index, cell] : watching.cells) count += cell.state() == state;
    return count;
  }

  TestFarm farm;
  std::unique_ptr<v1::ExportService::Stub> exports;
};

TEST_F(WatchTest, TellsASnapshotThenChangesThenEnds) {
  const std::string id = Submit(3);
  Watching watching(*exports, id, 0);
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.cells.size() == 3; }));
  EXPECT_EQ(Count(watching, v1::CELL_STATE_READY), 3);
  EXPECT_EQ(watching.cells.at(1).model(), "m1");
  EXPECT_EQ(watching.cells.at(1).target(), "onnx");
  EXPECT_EQ(watching.last.request().open(), 3u);

  const LeasedTask task = farm.Lease().value();
  ASSERT_TRUE(watching.ReadUntil([&] { return Count(watching, v1::CELL_STATE_RUNNING) == 1; }));
  ASSERT_TRUE(farm.queue->Progress(task, "judging").ok());
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.cells.at(task.index).progress() == "judging"; }));
  farm.Commit(task, TaskState::kParityFailed, "result", "too far off");
  ASSERT_TRUE(watching.ReadUntil([&] { return Count(watching, v1::CELL_STATE_PARITY_FAILED) == 1; }));
  EXPECT_EQ(watching.cells.at(task.index).reason(), "too far off");
  EXPECT_TRUE(watching.cells.at(task.index).has_result());
  EXPECT_FALSE(watching.last.ended());

  farm.CommitAll();
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.last.ended(); }));
  EXPECT_EQ(Count(watching, v1::CELL_STATE_PASSED), 2);
  EXPECT_EQ(watching.last.request().state(), v1::REQUEST_STATE_DONE);
  EXPECT_EQ(watching.last.request().open(), 0u);
  EXPECT_EQ(watching.Finish(), absl::OkStatus());
}

TEST_F(WatchTest, AnEndedRequestIsToldWholeAndEnds) {
  const std::string id = Submit(2);
  farm.CommitAll();
  Watching watching(*exports, id, 0);
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.last.ended(); }));
  EXPECT_EQ(watching.messages, 1);
  EXPECT_EQ(Count(watching, v1::CELL_STATE_PASSED), 2);
}

TEST_F(WatchTest, ACancelledRequestEnds) {
  const std::string id = Submit(2);
  Watching watching(*exports, id, 0);
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.cells.size() == 2; }));
  ASSERT_TRUE(farm.queue->Cancel(id).ok());
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.last.ended(); }));
  EXPECT_EQ(Count(watching, v1::CELL_STATE_CANCELLED), 2);
  EXPECT_EQ(watching.last.request().state(), v1::REQUEST_STATE_CANCELLED);
}

TEST_F(WatchTest, ResumesFromTheCursorWithNewsOnly) {
  const std::string id = Submit(3);
  uint64_t cursor = 0;
  {
    Watching first(*exports, id, 0);
    ASSERT_TRUE(first.ReadUntil([&] { return first.cells.size() == 3; }));
    cursor = first.cursor;
    first.context.TryCancel();
    EXPECT_TRUE(absl::IsCancelled(first.Finish()));
  }
  const LeasedTask task = farm.Lease().value();
  farm.Commit(task, TaskState::kPassed);
  Watching second(*exports, id, cursor);
  ASSERT_TRUE(second.ReadUntil([&] { return second.messages == 1; }));
  ASSERT_EQ(second.told, 1);
  EXPECT_EQ(second.cells.begin()->first, task.index);
  EXPECT_EQ(second.cells.begin()->second.state(), v1::CELL_STATE_PASSED);
}

TEST_F(WatchTest, GoesOnAtAnotherCoordinator) {
  const std::string id = Submit(3);
  const LeasedTask task = farm.Lease().value();
  Watching first(*exports, id, 0);
  ASSERT_TRUE(first.ReadUntil([&] { return first.cells.size() == 3; }));
  farm.StopCoordinator();
  EXPECT_FALSE(first.ReadUntil([] { return false; }));
  const absl::Status status = first.Finish();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;

  farm.Commit(task, TaskState::kPassed);  // nobody tells
  farm.StartCoordinator();
  const auto other = v1::ExportService::NewStub(farm.OpenChannel());
  Watching second(*other, id, first.cursor);
  ASSERT_TRUE(second.ReadUntil([&] { return second.messages == 1; }));
  EXPECT_EQ(second.told, 1);
  EXPECT_EQ(second.cells.at(task.index).state(), v1::CELL_STATE_PASSED);
  farm.CommitAll();
  ASSERT_TRUE(second.ReadUntil([&] { return second.last.ended(); }));
  EXPECT_EQ(second.cells.size(), 3u);
}

TEST_F(WatchTest, ACursorFromTheFutureGetsEverything) {
  const std::string id = Submit(2);  // as after a Redis that lost its last writes
  Watching watching(*exports, id, 1'000'000);
  v1::WatchResponse ignored;
  watching.cursor = 0;
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.messages == 1; }));
  EXPECT_EQ(watching.cells.size(), 2u);
}

// The snapshot has several pages, and nothing is read while everything ends: the watcher holds a page, the rest stays in the queue.
TEST_F(WatchTest, ASlowWatcherMissesNoTerminalState) {
  constexpr int kCells = 1300;
  const std::string id = Submit(kCells);
  Watching watching(*exports, id, 0);
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.messages == 1; }));
  EXPECT_EQ(farm.CommitAll(), kCells);
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.last.ended(); }));
  EXPECT_EQ(watching.cells.size(), static_cast<size_t>(kCells));
  EXPECT_EQ(Count(watching, v1::CELL_STATE_PASSED), kCells);
}

TEST_F(WatchTest, ManyWatchersSeeTheSame) {
  const std::string id = Submit(4);
  std::vector<std::unique_ptr<Watching>> watchers;
  for (int i = 0; i < 20; ++i) watchers.push_back(std::make_unique<Watching>(*exports, id, 0));
  for (const auto& watching : watchers) ASSERT_TRUE(watching->ReadUntil([&] { return watching->cells.size() == 4; }));
  watchers[7]->context.TryCancel();  // one leaves, the others stay subscribed
  EXPECT_TRUE(absl::IsCancelled(watchers[7]->Finish()));
  watchers.erase(watchers.begin() + 7);
  farm.CommitAll();
  for (const auto& watching : watchers) {
    ASSERT_TRUE(watching->ReadUntil([&] { return watching->last.ended(); }));
    EXPECT_EQ(Count(*watching, v1::CELL_STATE_PASSED), 4);
    EXPECT_EQ(watching->Finish(), absl::OkStatus());
  }
}

TEST_F(WatchTest, RefusesWhatIsNoRequest) {
  Watching unknown(*exports, "0-00", 0);
  EXPECT_FALSE(unknown.ReadUntil([] { return false; }));
  EXPECT_TRUE(absl::IsNotFound(unknown.Finish()));
  Watching malformed(*exports, "*", 0);
  EXPECT_FALSE(malformed.ReadUntil([] { return false; }));
  EXPECT_TRUE(absl::IsInvalidArgument(malformed.Finish()));
}

TEST_F(WatchTest, ALostRedisEndsItUnavailable) {
  const std::string id = Submit(1);
  Watching watching(*exports, id, 0);
  ASSERT_TRUE(watching.ReadUntil([&] { return watching.cells.size() == 1; }));
  farm.redis.Kill9();
  EXPECT_FALSE(watching.ReadUntil([] { return false; }));
  const absl::Status status = watching.Finish();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

}  // namespace
}  // namespace slipway
