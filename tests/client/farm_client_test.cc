// FarmClient against a real coordinator, and against a server that breaks as told.
#include "client/lib/farm_client.h"

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "common/queue/connection.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;

const FarmClientOptions kShortPatience{.patience = absl::Milliseconds(300)};

std::unique_ptr<FarmClient> Connect(const std::string& address, const FarmClientOptions& options = {}) {
  return FarmClient::Connect(address, absl::Now() + absl::Seconds(20), options).value();
}

std::string RandomBytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

class FarmClientTest : public testing::Test {
 protected:
  std::filesystem::path Write(const std::string& name, std::string_view bytes) {
    const std::filesystem::path path = files.path() / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(files.path())) names.insert(entry.path().filename());
    return names;
  }
  bool Has(const Digest& digest) { return farm.store->FindMissing(kTenant, std::span(&digest, 1)).value().empty(); }

  TestFarm farm;
  TemporaryFolder files = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  std::unique_ptr<FarmClient> client = Connect(farm.address());
};

TEST_F(FarmClientTest, OnlyMissingFilesTravel) {
  const std::string big = RandomBytes(3'000'000, 1);
  WriteBlob(*farm.store, kTenant, "there already").value();
  const std::vector<std::filesystem::path> paths{Write("big", big), Write("there", "there already"), Write("empty", ""),
                                                 Write("big again", big)};
  uint64_t done = 0, total = 0;
  const std::vector<Digest> digests = client
                                          ->UploadFiles(paths,
                                                        [&](uint64_t moved, uint64_t all) {
                                                          EXPECT_GE(moved, done);
                                                          done = moved;
                                                          total = all;
                                                        })
                                          .value();
  EXPECT_EQ(digests, (std::vector<Digest>{Digest::Of(big), Digest::Of(std::string_view("there already")),
                                          Digest::Of(std::string_view("")), Digest::Of(big)}));
  EXPECT_EQ(total, 3'000'000u);
  EXPECT_EQ(done, total);
  EXPECT_EQ(client->FindMissing(digests).value(), std::vector<Digest>{});
  EXPECT_EQ(ReadBlob(*farm.store, kTenant, digests[0]).value(), big);
}

TEST_F(FarmClientTest, FindMissingTakesAnyNumber) {
  std::vector<Digest> wanted;
  for (int i = 0; i < 10'050; ++i) wanted.push_back(Digest::Of(std::to_string(i)));
  WriteBlob(*farm.store, kTenant, "10020").value();
  const std::vector<Digest> missing = client->FindMissing(wanted).value();
  EXPECT_EQ(missing.size(), 10'049u);
  EXPECT_EQ(missing.front(), wanted.front());
  EXPECT_EQ(missing.back(), wanted.back());
}

TEST_F(FarmClientTest, AWrongDigestStoresNothing) {
  const Digest wrong = Digest::Of(std::string_view("12345"));
  const absl::Status status = client->UploadFile(Write("file", "54321"), wrong);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_FALSE(Has(wrong));
}

TEST_F(FarmClientTest, FilesThatCannotBeRead) {
  const std::vector<std::filesystem::path> absent{files.path() / "absent"};
  const absl::Status status = client->UploadFiles(absent).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("absent"));
  const std::vector<std::filesystem::path> folder{files.path()};
  EXPECT_TRUE(absl::IsInvalidArgument(client->UploadFiles(folder).status()));
  // Shorter than its digest says, as if truncated after it was hashed.
  EXPECT_TRUE(absl::IsAborted(client->UploadFile(Write("short", "1234"), Digest::Of(std::string_view("12345")))));
}

TEST_F(FarmClientTest, DownloadsWholeFiles) {
  const std::string big = RandomBytes(2'500'000, 2);
  const std::vector<DownloadItem> items{{WriteBlob(*farm.store, kTenant, big).value(), files.path() / "big"},
                                        {WriteBlob(*farm.store, kTenant, "small").value(), files.path() / "small"},
                                        {WriteBlob(*farm.store, kTenant, "").value(), files.path() / "empty"}};
  Write("small", "what was there before");
  uint64_t done = 0;
  ASSERT_EQ(client->DownloadFiles(items,
                                  [&](uint64_t moved, uint64_t total) {
                                    done = moved;
                                    EXPECT_EQ(total, 2'500'005u);
                                  }),
            absl::OkStatus());
  EXPECT_EQ(done, 2'500'005u);
  EXPECT_EQ(ReadFile(files.path() / "big").value(), big);
  EXPECT_EQ(ReadFile(files.path() / "small").value(), "small");
  EXPECT_EQ(ReadFile(files.path() / "empty").value(), "");
  EXPECT_EQ(Names(), (std::set<std::string>{"big", "small", "empty"}));
  EXPECT_EQ(client->DownloadBytes(items[1].digest).value(), "small");
}

TEST_F(FarmClientTest, AFailedDownloadLeavesNothing) {
  const std::string bytes = RandomBytes(900'000, 3);
  const Digest digest = WriteBlob(*farm.store, kTenant, bytes).value();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(farm.store_root())) {
    if (!entry.is_regular_file() || entry.file_size() != bytes.size()) continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(800'000);
    file.put(static_cast<char>(bytes[800'000] ^ 1));
  }
  Write("kept", "before");
  const absl::Status damaged = client->Download(digest, files.path() / "kept");
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_EQ(ReadFile(files.path() / "kept").value(), "before");
  EXPECT_TRUE(absl::IsNotFound(client->Download(Digest::Of(std::string_view("absent")), files.path() / "absent")));
  EXPECT_FALSE(client->Download(digest, "/nonexistent/folder/file").ok());
  EXPECT_EQ(Names(), std::set<std::string>{"kept"});
}

TEST_F(FarmClientTest, GetsAllPages) {
  const std::string id = client->Submit(NoopRequest(1100)).value().request_id();
  const RequestStatus status = client->Get(id).value();
  ASSERT_EQ(status.cells.size(), 1100u);
  for (uint32_t i = 0; i < 1100; ++i) ASSERT_EQ(status.cells[i].index(), i);
  EXPECT_EQ(status.request.open(), 1100u);
}

TEST_F(FarmClientTest, ListsNewestFirstUpToTheLimit) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(client->Submit(NoopRequest(1)).value().request_id());
  const std::vector<v1::RequestInfo> two = client->List(2).value();
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].request_id(), ids[2]);
  EXPECT_EQ(two[1].request_id(), ids[1]);
  EXPECT_EQ(client->List(10).value().size(), 3u);
  EXPECT_EQ(client->ListWorkers().value().size(), 0u);
}

// Far behind requests that have ended.
TEST_F(FarmClientTest, FindsWhatIsOpenHoweverOldItIs) {
  const std::string oldest = client->Submit(NoopRequest(2)).value().request_id();
  for (int i = 0; i < 40; ++i)
    ASSERT_EQ(client->Cancel(client->Submit(NoopRequest(1)).value().request_id()), absl::OkStatus());
  const std::string newest = client->Submit(NoopRequest(1)).value().request_id();
  const OpenRequests open = client->ListOpen().value();
  ASSERT_EQ(open.requests.size(), 2u);
  EXPECT_EQ(open.requests[0].request_id(), newest);
  EXPECT_EQ(open.requests[1].request_id(), oldest);
  EXPECT_TRUE(open.all);

  // A page has them although most of what it looks at has ended.
  const auto exports = v1::ExportService::NewStub(farm.OpenChannel());
  v1::ListRequest request;
  request.set_page_size(4);
  request.set_open_only(true);
  v1::ListResponse page;
  grpc::ClientContext context;
  ASSERT_TRUE(exports->List(&context, request, &page).ok());
  ASSERT_EQ(page.requests_size(), 2);
  EXPECT_EQ(page.requests(1).request_id(), oldest);
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(FarmClientTest, ErrorsKeepTheirKind) {
  v1::SubmitRequest request = NoopRequest(1);
  request.mutable_models(0)->set_name("a b");
  const absl::Status status = client->Submit(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
  EXPECT_TRUE(absl::IsNotFound(client->Get("0-00").status()));
  EXPECT_TRUE(absl::IsNotFound(client->Cancel("0-00")));
}

TEST_F(FarmClientTest, WatchGoesOnAfterTheCoordinatorIsLost) {
  const std::string id = client->Submit(NoopRequest(3)).value().request_id();
  const LeasedTask task = farm.Lease().value();
  std::map<uint32_t, std::vector<uint64_t>> versions;
  std::map<uint32_t, v1::CellState> states;
  bool lost = false;
  const absl::Status status = client->Watch(id, {}, [&](const v1::WatchResponse& change) {
    for (const v1::Cell& cell : change.cells()) {
      versions[cell.index()].push_back(cell.version());
      states[cell.index()] = cell.state();
    }
    if (lost || states.size() < 3) return;
    lost = true;
    farm.StopCoordinator();
    farm.Commit(task, TaskState::kPassed);
    farm.StartCoordinator();
    farm.CommitAll(TaskState::kUnverified);
  });
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_TRUE(lost);
  ASSERT_EQ(states.size(), 3u);
  for (const auto& [index, state] : states) {
    EXPECT_EQ(state, index == task.index ? v1::CELL_STATE_PASSED : v1::CELL_STATE_UNVERIFIED);
    EXPECT_TRUE(std::is_sorted(versions[index].begin(), versions[index].end()));
    EXPECT_EQ(std::set(versions[index].begin(), versions[index].end()).size(), versions[index].size());
  }
}

TEST_F(FarmClientTest, WatchFromACursorTellsOnlyNews) {
  const std::string id = client->Submit(NoopRequest(3)).value().request_id();
  const std::vector<TaskView> before = farm.queue->ListTasks(id, 0, 10).value();
  const LeasedTask task = farm.Lease().value();
  std::stop_source stop;
  std::vector<uint32_t> told;
  const absl::Status status = client->Watch(id, {.cursor = before.back().version, .stop = stop.get_token()},
                                            [&](const v1::WatchResponse& change) {
                                              for (const v1::Cell& cell : change.cells()) told.push_back(cell.index());
                                              stop.request_stop();
                                            });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(told, std::vector<uint32_t>{task.index});
}

// The changes after the loss have the numbers of those that were lost.
TEST_F(FarmClientTest, WatchMissesNoEndWhenRedisLostItsLastChanges) {
  const std::string id = client->Submit(NoopRequest(3)).value().request_id();
  std::map<uint32_t, v1::CellState> states;
  bool lost = false;
  const absl::Status status = client->Watch(id, {}, [&](const v1::WatchResponse& change) {
    for (const v1::Cell& cell : change.cells()) states[cell.index()] = cell.state();
    if (lost || states.size() < 3) return;
    lost = true;
    farm.StopCoordinator();
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    const Endpoint redis = MakeEndpoint({.address = farm.redis.address()}).value();
    const std::string script =
        "local status = string.gsub(redis.call('HGET', KEYS[1], 'st'), '^(%a %d+) 3 ', '%1 0 ') "
        "redis.call('HSET', KEYS[1], 'st', status)";  // its version
    const std::vector<std::string> forget = {"EVAL", script, "1", "{slipway:0}:v5:request:" + id};
    ASSERT_TRUE(Connection::Open(redis, deadline).value()->Call(forget, deadline).ok());
    farm.CommitAll(TaskState::kPassed);  // each two changes
    farm.StartCoordinator();
  });
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_TRUE(lost);
  ASSERT_EQ(states.size(), 3u);
  for (const auto& [index, state] : states) EXPECT_EQ(state, v1::CELL_STATE_PASSED) << index;
}

TEST_F(FarmClientTest, WatchGivesUpWhenNobodyAnswers) {
  const auto impatient = Connect(farm.address(), kShortPatience);
  const std::string id = client->Submit(NoopRequest(1)).value().request_id();
  const absl::Status status = impatient->Watch(id, {}, [&](const v1::WatchResponse&) { farm.StopCoordinator(); });
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kMachine);
  EXPECT_TRUE(absl::IsUnavailable(impatient->Get(id).status()));
  farm.StartCoordinator();
  EXPECT_TRUE(absl::IsNotFound(client->Watch("0-00", {}, [](const v1::WatchResponse&) {})));
}

TEST_F(FarmClientTest, ASubmitWithAKeyOutlivesTheCoordinator) {
  v1::SubmitRequest request = NoopRequest(1);
  request.set_idempotency_key("key");
  farm.StopCoordinator();
  std::jthread submitting([&] {
    const absl::StatusOr<v1::SubmitResponse> response = client->Submit(request);
    EXPECT_EQ(response.status(), absl::OkStatus());
  });
  farm.StartCoordinator();
  submitting.join();
  EXPECT_EQ(client->List(10).value().size(), 1u);
}

TEST_F(FarmClientTest, ShutdownEndsWhatIsUnderWay) {
  const std::string id = client->Submit(NoopRequest(1)).value().request_id();
  absl::Status status = absl::OkStatus();
  std::atomic<bool> begun = false;
  std::jthread watching([&] {
    status = client->Watch(id, {}, [&](const v1::WatchResponse&) {
      begun = true;
      begun.notify_all();
    });
  });
  begun.wait(false);
  client->Shutdown();
  watching.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(absl::IsCancelled(client->Get(id).status()));
}

TEST(FarmClientConnect, NobodyThere) {
  // Without a deadline: a client that waited for what refuses to begin to answer would never return.
  const absl::Status absent = FarmClient::Connect("unix:/nonexistent/socket", absl::InfiniteFuture()).status();
  EXPECT_TRUE(absl::IsUnavailable(absent)) << absent;
  EXPECT_THAT(Message(absent), HasSubstr("unix:/nonexistent/socket"));
  const absl::Status refused = FarmClient::Connect("127.0.0.1:1", absl::InfiniteFuture()).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(Message(refused), HasSubstr("no farm listens at 127.0.0.1:1: start slipway-coordinator there"));
  const absl::Status malformed = FarmClient::Connect("farm", absl::Now() + absl::Seconds(10)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(malformed));
  EXPECT_EQ(KindOf(malformed), ErrorKind::kUsage);
}

// Sends `first` bytes and breaks; then, from the offset it is asked for, the rest, perhaps damaged.
class BreakingBlobs final : public v1::BlobService::Service {
 public:
  std::string bytes;
  size_t first = 0;
  int damaged = 0;  // downloads that still end with a wrong byte
  std::vector<uint64_t> offsets;
  int uploads = 0;
  bool keeps = false;  // what arrived before it broke
  std::string uploaded;
  std::vector<uint64_t> starts;  // of uploads

  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override {
    offsets.push_back(request->offset());
    const bool breaks = offsets.size() == 1 && first > 0;
    v1::DownloadResponse chunk;
    chunk.set_data(bytes.substr(request->offset(), breaks ? first : std::string::npos));
    if (!breaks && damaged-- > 0) chunk.mutable_data()->back() ^= 1;
    writer->Write(chunk);
    return breaks ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken on purpose") : grpc::Status::OK;
  }
  grpc::Status QueryUpload(grpc::ServerContext*, const v1::QueryUploadRequest*,
                           v1::QueryUploadResponse* response) override {
    response->set_received_bytes(keeps ? uploaded.size() : 0);
    return grpc::Status::OK;
  }
  // Takes a message and breaks, then takes all.
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override {
    if (!keeps) uploaded.clear();
    bool begins = true;
    for (v1::UploadRequest chunk; reader->Read(&chunk);) {
      EXPECT_EQ(chunk.offset(), uploaded.size());
      EXPECT_EQ(chunk.has_digest(), begins);
      if (begins) starts.push_back(chunk.offset());
      begins = false;
      uploaded += chunk.data();
      if (uploads == 0) {
        ++uploads;
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken on purpose");
      }
    }
    ++uploads;
    response->set_committed_bytes(uploaded.size());
    return grpc::Status::OK;
  }
};

class BrokenTransfer : public testing::Test {
 protected:
  BrokenTransfer() {
    const std::string address = "unix:" + (folder.path() / "s").string();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&blobs);
    server = builder.BuildAndStart();
    client = Connect(address);
  }
  ~BrokenTransfer() override {
    client.reset();
    server->Shutdown();
  }

  TemporaryFolder folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  BreakingBlobs blobs;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<FarmClient> client;
};

TEST_F(BrokenTransfer, ADownloadGoesOnWhereItStopped) {
  blobs.bytes = RandomBytes(10'000, 4);
  blobs.first = 4'000;
  ASSERT_EQ(client->Download(Digest::Of(blobs.bytes), folder.path() / "file"), absl::OkStatus());
  EXPECT_EQ(ReadFile(folder.path() / "file").value(), blobs.bytes);
  EXPECT_EQ(blobs.offsets, (std::vector<uint64_t>{0, 4'000}));
}

TEST_F(BrokenTransfer, WhatIsDamagedOnItsWayIsFetchedAgain) {
  blobs.bytes = RandomBytes(10'000, 6);
  blobs.damaged = 1;
  ASSERT_EQ(client->Download(Digest::Of(blobs.bytes), folder.path() / "file"), absl::OkStatus());
  EXPECT_EQ(ReadFile(folder.path() / "file").value(), blobs.bytes);
  EXPECT_EQ(blobs.offsets, (std::vector<uint64_t>{0, 0}));
}

TEST_F(BrokenTransfer, WhatDoesNotHashIsNotKept) {
  blobs.bytes = RandomBytes(10'000, 5);
  blobs.damaged = 2;
  const absl::Status status = client->Download(Digest::Of(blobs.bytes), folder.path() / "file");
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "file"));
  const Digest asked = Digest::Of(blobs.bytes);
  blobs.bytes += "x";  // more than was asked for
  EXPECT_TRUE(absl::IsDataLoss(client->DownloadBytes(asked).status()));
}

TEST_F(BrokenTransfer, ASharedStoreIsReadInstead) {
  const LocalStoreOptions options{.root = folder.path() / "store", .ephemeral = true};
  const std::unique_ptr<SharedStore> shared = SharedStore::Open(options, kSoleTenant).value();
  FarmClientOptions client_options;
  client_options.shared_store = shared.get();
  client = Connect("unix:" + (folder.path() / "s").string(), client_options);
  const std::string there = RandomBytes(600'000, 7), absent = RandomBytes(5'000, 8);
  const std::unique_ptr<Store> farm = OpenLocalStore(options).value();
  ASSERT_TRUE(WriteBlob(*farm, kSoleTenant, there).ok());
  blobs.bytes = absent;
  ASSERT_EQ(client->Download(Digest::Of(there), folder.path() / "there"), absl::OkStatus());
  EXPECT_EQ(ReadFile(folder.path() / "there").value(), there);
  EXPECT_TRUE(blobs.offsets.empty());
  // What it lacks comes over the connection.
  EXPECT_EQ(client->DownloadBytes(Digest::Of(absent)).value(), absent);
  EXPECT_EQ(blobs.offsets.size(), 1U);
}

TEST_F(BrokenTransfer, AnUploadGoesOnWhereItStopped) {
  blobs.keeps = true;
  const std::string bytes = RandomBytes(3'000'000, 7);
  EXPECT_EQ(client->UploadBytes(bytes).value(), Digest::Of(bytes));
  EXPECT_EQ(blobs.uploaded, bytes);
  ASSERT_EQ(blobs.starts.size(), 2u);
  EXPECT_EQ(blobs.starts[0], 0u);
  EXPECT_GT(blobs.starts[1], 0u);
}

// A client that was killed is another client later.
TEST_F(BrokenTransfer, AnUploadGoesOnWhereAnEarlierClientStopped) {
  blobs.keeps = true;
  blobs.uploads = 1;  // breaks no more
  const std::string bytes = RandomBytes(5'000'000, 8);
  blobs.uploaded = bytes.substr(0, 2'000'000);
  EXPECT_EQ(client->UploadBytes(bytes).value(), Digest::Of(bytes));
  EXPECT_EQ(blobs.uploaded, bytes);
  EXPECT_EQ(blobs.starts, std::vector<uint64_t>{2'000'000});
}

TEST_F(BrokenTransfer, AnUploadIsRepeated) {
  const std::string bytes = RandomBytes(1'500'000, 6);
  EXPECT_EQ(client->UploadBytes(bytes).value(), Digest::Of(bytes));
  EXPECT_EQ(blobs.uploads, 2);
  EXPECT_EQ(blobs.uploaded, bytes);
}

}  // namespace
}  // namespace slipway
