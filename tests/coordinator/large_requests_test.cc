// What a request of 20,000 cells, a watcher that does not read, and many watchers cost.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/metrics/metrics.h"
#include "common/queue/connection.h"
#include "common/queue/endpoint.h"
#include "tests/coordinator/watching.h"
#include "tests/support/farm.h"
#include "tests/support/scrape.h"

namespace slipway {
namespace {

constexpr int kCells = 20'000;
constexpr int kPage = 500;

class LargeRequestsTest : public testing::Test {
 protected:
  std::string Submit(int models) {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    const grpc::Status status = exports_->Submit(&context, NoopRequest(models), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.request_id();
  }
  // Pages that were read from the queue so far.
  double PagesRead() const {
    return ScrapeMetrics(metrics_->address())["slipway_redis_call_seconds_count{call=\"list_tasks\"}"];
  }

  Reply Redis(const std::vector<std::string>& command) const {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    return Connection::Open(MakeEndpoint({.address = farm_.redis.address()}).value(), deadline)
        .value()
        ->Call(command, deadline)
        .value();
  }

  const std::unique_ptr<metrics::Server> metrics_ = metrics::Server::Start("127.0.0.1:0", "test").value();
  TestFarm farm_;
  const std::unique_ptr<v1::ExportService::Stub> exports_ = v1::ExportService::NewStub(farm_.OpenChannel());
};

TEST_F(LargeRequestsTest, ArePagedByGet) {
  const std::string id = Submit(kCells);
  std::set<uint32_t> cells;
  v1::GetRequest request;
  request.set_request_id(id);
  int pages = 0;
  do {
    grpc::ClientContext context;
    v1::GetResponse page;
    ASSERT_TRUE(exports_->Get(&context, request, &page).ok());
    EXPECT_LE(page.cells_size(), kPage);
    EXPECT_EQ(page.request().cells(), static_cast<uint32_t>(kCells));
    for (const v1::Cell& cell : page.cells()) cells.insert(cell.index());
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(cells.size(), static_cast<size_t>(kCells));
  EXPECT_GE(pages, kCells / kPage);
}

// While everything ends it holds what it has not taken: a page, besides what the connection buffers. So most pages are still to be
// read from the queue when it goes on.
TEST_F(LargeRequestsTest, AWatcherThatDoesNotReadHoldsNoMoreThanItsPages) {
  const std::string id = Submit(kCells);
  // A connection that takes a page or two ahead; by itself gRPC takes as much as the connection seems to be good for.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65'535);
  const auto narrow = v1::ExportService::NewStub(grpc::CreateCustomChannel(
      Address::Parse(farm_.address()).value().ConnectTarget(), grpc::InsecureChannelCredentials(), arguments));
  Watching slow(*narrow, id, 0), quick(*exports_, id, 0);
  ASSERT_TRUE(slow.ReadUntil([&] { return slow.messages == 1; }));
  ASSERT_TRUE(farm_.queue->Cancel(id).ok());
  ASSERT_TRUE(quick.ReadUntil([&] { return quick.last.ended(); }));
  const double read = PagesRead();
  ASSERT_TRUE(slow.ReadUntil([&] { return slow.last.ended(); }));
  EXPECT_GE(PagesRead() - read, (kCells - 10 * kPage) / kPage);
  for (const Watching* watching : {&slow, &quick}) {
    EXPECT_LE(watching->largest, kPage);
    EXPECT_EQ(watching->cells.size(), static_cast<size_t>(kCells));
    EXPECT_TRUE(std::all_of(watching->cells.begin(), watching->cells.end(),
                            [](const auto& cell) { return cell.second.state() == v1::CELL_STATE_CANCELLED; }));
  }
}

TEST_F(LargeRequestsTest, WatchersOfManyRequestsShareAConnection) {
  constexpr int kRequests = 100;
  std::vector<std::string> ids;
  std::vector<std::unique_ptr<Watching>> watchers;
  for (int i = 0; i < kRequests; ++i) {
    ids.push_back(Submit(1));
    watchers.push_back(std::make_unique<Watching>(*exports_, ids.back(), 0));
  }
  for (const auto& watching : watchers) ASSERT_TRUE(watching->ReadUntil([&] { return watching->messages == 1; }));
  EXPECT_EQ(Elements(Redis({"PUBSUB", "CHANNELS", "*changes:*"}).get()).size(), static_cast<size_t>(kRequests));
  const std::string clients(Text(Redis({"CLIENT", "LIST", "TYPE", "pubsub"}).get()));
  EXPECT_EQ(std::count(clients.begin(), clients.end(), '\n'), 1) << clients;
  farm_.CommitAll();
  for (const auto& watching : watchers) ASSERT_TRUE(watching->ReadUntil([&] { return watching->last.ended(); }));
}

}  // namespace
}  // namespace slipway
