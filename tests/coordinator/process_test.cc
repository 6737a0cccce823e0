// The program slipway-coordinator: its flags, its ready line, its end.
#include "tests/coordinator/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/rpc/status.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class ProcessTest : public testing::Test {
 protected:
  std::vector<std::string> Flags(const std::string& listen) {
    return {"--redis",  redis.address(), "--store",    (folder.path() / "store").string(),
            "--listen", listen,          "--ready-fd", std::to_string(Process::kReadyFd)};
  }
  absl::Status List(const std::string& address) {
    const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse(address).value()));
    grpc::ClientContext context;
    v1::ListResponse response;
    return FromGrpc(stub->List(&context, {}, &response), context);
  }

  static bool Eventually(const std::function<bool()>& condition) {
    for (const absl::Time patience = absl::Now() + absl::Seconds(20); absl::Now() < patience;) {
      if (condition()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  RedisServer redis;
  TemporaryFolder folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
};

TEST_F(ProcessTest, ServesWhenItSaysSoAndEndsOnSigterm) {
  for (const std::string& listen : {"unix:" + (folder.path() / "api").string(), std::string("127.0.0.1:0")}) {
    Process coordinator(Flags(listen));
    std::string address = coordinator.Ready();
    ASSERT_TRUE(address.ends_with("\n")) << coordinator.Output();
    address.pop_back();
    if (listen.starts_with("unix:")) {
      EXPECT_EQ(address, listen);
    }
    EXPECT_EQ(List(address), absl::OkStatus());
    EXPECT_EQ(coordinator.Kill(SIGTERM), 0) << coordinator.Output();
    EXPECT_TRUE(absl::IsUnavailable(List(address)));
  }
}

TEST_F(ProcessTest, AnotherTakesOverFromOneKilled) {
  const std::string address = "unix:" + (folder.path() / "api").string();
  std::string request;
  {
    Process first(Flags(address));
    ASSERT_EQ(first.Ready(), address + "\n");
    const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse(address).value()));
    grpc::ClientContext context;
    v1::SubmitResponse response;
    ASSERT_TRUE(stub->Submit(&context, NoopRequest(3), &response).ok());
    request = response.request_id();
    EXPECT_EQ(first.Kill(SIGKILL), -SIGKILL);
  }
  Process second(Flags(address));
  ASSERT_EQ(second.Ready(), address + "\n");
  const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse(address).value()));
  grpc::ClientContext context;
  v1::GetRequest get;
  get.set_request_id(request);
  v1::GetResponse response;
  ASSERT_TRUE(stub->Get(&context, get, &response).ok());
  EXPECT_EQ(response.cells_size(), 3);
}

TEST_F(ProcessTest, FlagsComeFromTheEnvironmentToo) {
  const std::string address = "unix:" + (folder.path() / "api").string();
  Process coordinator({}, {"SLIPWAY_REDIS=" + redis.address(), "SLIPWAY_STORE=" + (folder.path() / "store").string(),
                           "SLIPWAY_LISTEN=" + address, "SLIPWAY_SHARD=west", "SLIPWAY_READY_FD=100"});
  ASSERT_EQ(coordinator.Ready(), address + "\n");
  const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse(address).value()));
  grpc::ClientContext context;
  v1::SubmitResponse response;
  ASSERT_TRUE(stub->Submit(&context, NoopRequest(1), &response).ok());
  EXPECT_THAT(response.request_id(), MatchesRegex("west-[0-9a-f]+"));
}

TEST_F(ProcessTest, ThePasswordComesFromAFile) {
  RedisServer guarded({.password = "s3cret"});
  const std::string address = "unix:" + (folder.path() / "api").string();
  ASSERT_EQ(WriteFileAtomically(folder.path() / "password", "s3cret\n"), absl::OkStatus());
  std::vector<std::string> flags = Flags(address);
  flags[1] = guarded.address();
  {
    Process without(flags);
    EXPECT_EQ(without.Ready(), "");
    EXPECT_EQ(without.Wait(), 5);
  }
  flags.insert(flags.end(), {"--redis-password-file", (folder.path() / "password").string()});
  Process with(flags);
  EXPECT_EQ(with.Ready(), address + "\n");
}

TEST_F(ProcessTest, QuotasOfTenantsAreFlags) {
  const std::string address = "unix:" + (folder.path() / "api").string();
  std::vector<std::string> flags = Flags(address);
  flags.insert(flags.end(), {"--tenant-open-tasks", "2", "--tenant-weight", "default=2.5"});
  Process coordinator(flags);
  ASSERT_EQ(coordinator.Ready(), address + "\n");
  const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse(address).value()));
  const auto submit = [&](int models) {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    return FromGrpc(stub->Submit(&context, NoopRequest(models), &response), context);
  };
  EXPECT_EQ(submit(2), absl::OkStatus());
  const absl::Status refused = submit(1);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(Message(refused), HasSubstr("quota of open tasks: 2 at most"));
}

// An S3 server that has no object, until it says nothing any more.
class FallingSilent {
 public:
  FallingSilent() {
    ::listen(listener_.get(), 64);
    thread_ = std::thread([this] {
      for (int fd; (fd = ::accept(listener_.get(), nullptr, nullptr)) >= 0;) {
        UniqueFd caller(fd);
        std::string asked;
        char buffer[4096];
        for (ssize_t count;
             asked.find("\r\n\r\n") == asked.npos && (count = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;)
          asked.append(buffer, count);
        if (silent) {
          held_.push_back(std::move(caller));
          ++unanswered;
          continue;
        }
        const bool lists = asked.find("list-type") != asked.npos;
        const std::string answer = fmt::format("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                                               lists ? "200 OK" : "404 Not Found");
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~FallingSilent() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string url() const {
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    return fmt::format("s3://b/farm?endpoint=http://127.0.0.1:{}", ntohs(address.sin_port));
  }

  std::atomic<bool> silent = false;
  std::atomic<int> unanswered = 0;

 private:
  static int Bound() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  UniqueFd listener_{Bound()};
  std::vector<UniqueFd> held_;
  std::thread thread_;
};

// Each try of a request would wait for a minute.
TEST_F(ProcessTest, AStoreThatDoesNotAnswerHoldsUpNoEnd) {
  FallingSilent s3;
  const std::filesystem::path credentials = folder.path() / "credentials";
  ASSERT_TRUE(WriteFileAtomically(credentials, "[default]\naws_access_key_id=k\naws_secret_access_key=s\n").ok());
  const std::string address = "unix:" + (folder.path() / "api").string();
  Process coordinator({"--redis", redis.address(), "--store", s3.url(), "--store-credentials", credentials.string(),
                       "--listen", address, "--garbage-after", "0", "--ready-fd", std::to_string(Process::kReadyFd)});
  ASSERT_EQ(coordinator.Ready(), address + "\n") << coordinator.Output();
  s3.silent = true;
  std::thread asking([&] {
    const auto stub = v1::BlobService::NewStub(OpenChannel(Address::Parse(address).value()));
    grpc::ClientContext context;
    v1::FindMissingRequest request;
    v1::FindMissingResponse response;
    v1::Digest& digest = *request.add_digests();
    digest.set_sha256(std::string(64, 'a'));
    digest.set_bytes(1);
    EXPECT_FALSE(stub->FindMissing(&context, request, &response).ok());
  });
  EXPECT_TRUE(Eventually([&] { return s3.unanswered > 0; }));
  EXPECT_EQ(coordinator.Kill(SIGTERM), 0) << coordinator.Output();
  EXPECT_EQ(s3.unanswered, 1) << "it ended after another try";
  asking.join();
}

TEST_F(ProcessTest, SaysThatItWaitsForRedisAndCanBeEndedMeanwhile) {
  redis.Stop();
  Process coordinator(Flags("127.0.0.1:0"));
  EXPECT_THAT(coordinator.OutputUpTo("reason="), HasSubstr("Redis is not there yet"));
  EXPECT_EQ(coordinator.Kill(SIGTERM), 0) << coordinator.Output();
}

// What is uploaded to an empty mount point no worker finds.
TEST_F(ProcessTest, WaitsForTheMountOfItsStore) {
  const std::filesystem::path mount = folder.path() / "store", away = folder.path() / "away";
  const auto queue = ConnectQueue({.address = redis.address()}).value();
  const std::string address = "unix:" + (folder.path() / "api").string();
  {
    Process first(Flags(address));
    EXPECT_EQ(first.Ready(), address + "\n");
    EXPECT_TRUE(Eventually([&] { return !queue->Noted().value().farm.empty(); }));
  }
  EXPECT_EQ(queue->Noted().value().farm, queue->FarmId().value());
  EXPECT_NE(queue->Noted().value().file_system, "");
  std::filesystem::rename(mount, away);
  EXPECT_EQ(Process(Flags(address)).Ready(), address + "\n") << "a new store where the first was";
  std::filesystem::remove_all(mount);
  ASSERT_TRUE(queue->NoteStore("what is mounted there").ok());
  Process next(Flags(address));
  EXPECT_THAT(next.OutputUpTo("is its mount missing?"), HasSubstr("the farm's store is not there yet"));
  EXPECT_TRUE(absl::IsUnavailable(List(address)));
  EXPECT_FALSE(std::filesystem::exists(mount / "farm")) << "claimed";
  std::filesystem::remove_all(mount);
  std::filesystem::rename(away, mount);
  EXPECT_EQ(next.Ready(), address + "\n");
}

TEST_F(ProcessTest, AnotherStoreIsAdoptedWhenItIsSaid) {
  const auto queue = ConnectQueue({.address = redis.address()}).value();
  const std::string farm = queue->FarmId().value(), address = "unix:" + (folder.path() / "api").string();
  ASSERT_TRUE(queue->NoteStore("what is mounted there").ok());
  for (const char* garbage_after : {"24", "0"}) {
    std::filesystem::remove_all(folder.path() / "store");
    std::vector<std::string> flags = Flags(address);
    flags.insert(flags.end(), {"--adopt-store", "--garbage-after", garbage_after});
    Process coordinator(flags);
    EXPECT_EQ(coordinator.Ready(), address + "\n");
    EXPECT_TRUE(Eventually([&] { return ReadFile(folder.path() / "store" / "farm").value_or("") == farm; }));
  }
}

TEST_F(ProcessTest, VersionAndHelpNeedNothing) {
  Process version({"--version"});
  EXPECT_THAT(version.Output(), MatchesRegex("slipway-coordinator [0-9.]+\n"));
  EXPECT_EQ(version.Wait(), 0);
  Process help({"--help"});
  EXPECT_THAT(help.Output(), HasSubstr("slipway-coordinator --redis 127.0.0.1:6379"));
  EXPECT_EQ(help.Wait(), 0);
}

TEST_F(ProcessTest, SaysWhatIsWrong) {
  const std::string store = (folder.path() / "store").string();
  const struct {
    std::vector<std::string> flags;
    int exit;
    std::string message;
  } cases[] = {
      {{}, 2, "--listen"},
      {{"--listen", "farm", "--redis", redis.address(), "--store", store}, 2, "the port is missing"},
      {{"--listen", "0.0.0.0:0", "--redis", redis.address(), "--store", store}, 2, "--insecure"},
      {{"--listen", "unix:/nonexistent/s", "--redis", redis.address(), "--store", store}, 5, "unix:/nonexistent/s"},
      // What comes before it can be served.
      {{"--listen", "127.0.0.1:0", "--listen", "unix:/nonexistent/s", "--redis", redis.address(), "--store", store},
       5,
       "cannot listen on unix:/nonexistent/s"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", "/proc/none"},
       5,
       "--store: mkdir /proc/none"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--lease", "0"}, 2, "--lease"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--shard", "a:b"}, 2, "shard \"a:b\""},
      {{"--listen", "127.0.0.1:0", "--redis", "127.0.0.1:65536", "--store", store}, 2, "127.0.0.1:65536"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--tls-cert", "none", "--tls-key",
        "n"},
       2,
       "--tls-cert: open none: No such file or directory; name a PEM file"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--tokens", "/none"},
       2,
       "--tokens: /none: No such file or directory; `slipway token new --tokens /none` makes the file"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--audit-log", "/proc/none/a"},
       2,
       "--audit-log: open /proc/none/a: No such file or directory; name a file in a folder that is there"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--audit-log", store},
       2,
       "--audit-log: open " + store + ": Is a directory"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--tenant-weight", "a"},
       2,
       "TENANT=WEIGHT"},
      {{"--listen", "127.0.0.1:0", "--redis", redis.address(), "--store", store, "--tenant-weight", "a=0"},
       2,
       "a number from 0.01 to 100"},
  };
  for (const auto& wrong : cases) {
    Process coordinator(wrong.flags);
    const std::string output = coordinator.Output();
    EXPECT_THAT(output, HasSubstr(wrong.message));
    EXPECT_EQ(coordinator.Wait(), wrong.exit) << output;
  }
}

TEST_F(ProcessTest, RefusesValuesThatAreNone) {
  const struct {
    const char* flag;
    std::vector<std::string> values;
  } cases[] = {{"--lease", {"nan", "-1", "1e9", "x"}},
               {"--garbage-after", {"nan", "-1", "1e300"}},
               {"--receive-memory", {"-1", "0", "1X", "-1G", "99999999999999999999"}},
               {"--tenant-bytes", {"-1", "99999999999999999999"}},
               {"--tenant-open-tasks", {"-1", "1e300"}},
               {"--tenant-requests-per-minute", {"-1", "nan"}},
               {"--tenant-weight", {"a=nan", "a=-1", "A=1", "=1"}},
               {"--health-listen", {"x", "127.0.0.1:99999"}},
               {"--listen", {"-1", "http://127.0.0.1:1"}}};
  for (const auto& [flag, values] : cases) {
    for (const std::string& value : values) {
      std::vector<std::string> flags = Flags("127.0.0.1:0");
      flags.push_back(fmt::format("{}={}", flag, value));
      Process coordinator(flags);
      EXPECT_THAT(coordinator.Output(), HasSubstr(flag)) << value;
      EXPECT_EQ(coordinator.Wait(), 2) << flag << "=" << value;
    }
  }
}

}  // namespace
}  // namespace slipway
