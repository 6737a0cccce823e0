// What callers can make a coordinator hold, seen from outside: the memory of its process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <thread>
#include <vector>

#include "common/access/tokens.h"
#include "common/rpc/digest_message.h"
#include "common/rpc/status.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "tests/coordinator/guarded_farm.h"
#include "tests/coordinator/process.h"
#include "tests/coordinator/unfinished_call.h"
#include "tests/support/ask.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

constexpr uint32_t kMessageBytes = 15 << 20;  // allowed
constexpr int kPatienceMs = 10'000;           // with a busy machine
constexpr int kIdleMs = 1'000;                // where calls may be left that get no further

class StrangersTest : public testing::Test {
 protected:
  std::string address() const { return "unix:" + (folder.path() / "api").string(); }
  std::string health_address() const { return "unix:" + (folder.path() / "health").string(); }
  std::vector<std::string> Flags() const {
    return {"--redis",  redis.address(), "--store",         (folder.path() / "store").string(),
            "--listen", address(),       "--ready-fd",      std::to_string(Process::kReadyFd),
            "--tokens", tokens,          "--health-listen", health_address()};
  }
  std::shared_ptr<grpc::Channel> Channel(const std::string& at) const {
    return OpenChannel(Address::Parse(at).value(), {.token = token}).value();
  }
  absl::Status Upload(const std::string& bytes) const {
    const auto blobs = v1::BlobService::NewStub(Channel(address()));
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto stream = blobs->Upload(&context, &response);
    for (size_t offset = 0; offset < bytes.size(); offset += kChunkBytes) {
      v1::UploadRequest chunk;
      if (offset == 0) *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(Digest::Of(bytes));
      chunk.set_offset(offset);
      chunk.set_data(bytes.substr(offset, kChunkBytes));
      if (!stream->Write(chunk)) break;
    }
    stream->WritesDone();
    return FromGrpc(stream->Finish(), context);
  }
  // The most that it ever held.
  static size_t PeakMiB(const Process& coordinator) {
    const std::string status = ReadFile(fmt::format("/proc/{}/status", coordinator.pid())).value();
    std::smatch peak;
    EXPECT_TRUE(std::regex_search(status, peak, std::regex("VmHWM:\\s*([0-9]+) kB")));
    return std::stoul(peak[1]) / 1024;
  }

  RedisServer redis;
  TemporaryFolder folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  const std::string tokens = (folder.path() / "tokens").string();
  const std::string token =
      AddToken(tokens, {.tenant = "a", .role = Role::kSubmit, .name = "a"}, absl::InfiniteFuture()).value();
};

TEST_F(StrangersTest, WithoutATokenNothingIsHeldWhileOthersGoOn) {
  Process coordinator(Flags());
  ASSERT_EQ(coordinator.Ready(), address() + "\n");
  const size_t before = PeakMiB(coordinator);
  std::vector<UnfinishedCall> strangers;
  std::vector<std::string> methods = AllMethods();
  methods.push_back("/slipway.v1.ExportService/Newer");
  for (const std::string& method : methods) {
    for (const char* shown : {"", "slw_none", ""})
      strangers.emplace_back(Address::Parse(address()).value(), method, kMessageBytes, shown);
  }
  absl::Status uploaded;
  std::thread user([&] { uploaded = Upload(std::string(20 << 20, 'x')); });
  UnfinishedCall::Send(strangers, kPatienceMs);
  user.join();
  EXPECT_EQ(uploaded, absl::OkStatus());
  for (size_t i = 0; i < strangers.size(); ++i) EXPECT_TRUE(strangers[i].ended()) << methods[i / 3];
  EXPECT_LT(PeakMiB(coordinator), before + 200);  // 42 calls of 15 MiB
}

TEST_F(StrangersTest, KnownCallersShareABound) {
  std::vector<std::string> flags = Flags();
  flags.insert(flags.end(), {"--receive-memory", "32MiB"});
  Process coordinator(flags);
  ASSERT_EQ(coordinator.Ready(), address() + "\n");
  const size_t before = PeakMiB(coordinator);
  {
    std::vector<UnfinishedCall> calls;
    for (int i = 0; i < 60; ++i)
      calls.emplace_back(Address::Parse(address()).value(), "/slipway.v1.ExportService/Submit", kMessageBytes, token);
    UnfinishedCall::Send(calls, kIdleMs);
  }
  EXPECT_LT(PeakMiB(coordinator),
            before + 450);  // 60 calls of 15 MiB; what has come is counted, and calls ended, in passing
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(Channel(address()), "/slipway.v1.ExportService/Submit", "").status()));
}

TEST_F(StrangersTest, TheHealthPortHoldsLittle) {
  Process coordinator(Flags());
  ASSERT_EQ(coordinator.Ready(), address() + "\n");
  const size_t before = PeakMiB(coordinator);
  {
    std::vector<UnfinishedCall> strangers;
    for (int i = 0; i < 60; ++i)
      strangers.emplace_back(Address::Parse(health_address()).value(), "/grpc.health.v1.Health/Check", kMessageBytes);
    UnfinishedCall::Send(strangers, kIdleMs);
  }
  EXPECT_LT(PeakMiB(coordinator),
            before + 450);  // 60 calls of 15 MiB; what has come is counted, and calls ended, in passing
  EXPECT_EQ(Ask(Channel(health_address()), "/grpc.health.v1.Health/Check", "").status(), absl::OkStatus());
}

}  // namespace
}  // namespace slipway
