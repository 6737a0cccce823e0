// The queue over encrypted connections to a real redis-server.
#include <signal.h>

#include <filesystem>
#include <mutex>
#include <thread>

#include "tests/common/followed.h"
#include "tests/common/queue_fixture.h"
#include "tests/support/certificates.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

class QueueTlsTest : public ::testing::Test {
 protected:
  // A server that shows a certificate of these names, and wants none or one.
  explicit QueueTlsTest(const std::vector<std::string>& names = {"IP:127.0.0.1", "DNS:localhost"}, bool wants = false)
      : shown_(authority_.Issue("server", {.names = names})),
        redis_({.password = "secret",
                .config = {"tls-cert-file " + shown_.certificate.string(), "tls-key-file " + shown_.key.string(),
                           "tls-ca-cert-file " + authority_.certificate().string(),
                           wants ? "tls-auth-clients yes" : "tls-auth-clients no"},
                .port = RedisOptions::Port::kTls}) {}

  QueueOptions Options() const {
    QueueOptions options;
    options.address = "rediss://" + redis_.tcp_address();
    options.password = redis_.password();
    options.tls.ca = authority_.certificate().string();
    return options;
  }
  absl::Status Connects(const QueueOptions& options) const { return ConnectQueue(options).status(); }

  const TemporaryFolder folder_ = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  const Authority authority_{folder_.path(), "ca"};
  const PemFiles shown_;
  const RedisServer redis_;
};

TEST_F(QueueTlsTest, EveryKindOfConnectionIsEncrypted) {
  const std::unique_ptr<Queue> queue = ConnectQueue(Options()).value();
  std::mutex mutex;
  std::condition_variable heard;
  std::string cancelled;
  ASSERT_TRUE(queue
                  ->OnCancelled([&](const std::string& request) {
                    std::lock_guard lock(mutex);
                    cancelled = request;
                    heard.notify_all();
                  })
                  .ok());
  Followed changes(*queue, "0-large");
  ASSERT_TRUE(changes.status().ok());

  // More than a record and a socket's buffer hold, both ways.
  constexpr int kTasks = 20'000;
  QueuedRequest large{.id = "0-large", .request_digest = "digest", .spec = "spec"};
  for (uint32_t i = 0; i < kTasks; ++i) large.tasks.push_back({.index = i});
  ASSERT_EQ(queue->Submit(large).value(), "0-large");
  EXPECT_EQ(queue->ListTasks("0-large", 0, kTasks).value().size(), size_t{kTasks});
  const std::optional<LeasedTask> task =
      queue->AwaitLease({.worker = "w", .token = "token", .classes = {"any"}}).value();
  ASSERT_TRUE(task);
  EXPECT_TRUE(changes.Wait(absl::Now() + absl::Seconds(60)));
  ASSERT_TRUE(queue->Cancel("0-large").ok());
  std::unique_lock lock(mutex);
  EXPECT_TRUE(heard.wait_for(lock, std::chrono::seconds(60), [&] { return cancelled == "0-large"; }));
}

TEST_F(QueueTlsTest, AWaitEndsInTimeAndTheConnectionGoesOn) {
  const std::unique_ptr<Queue> queue = ConnectQueue(Options()).value();
  ASSERT_TRUE(queue->Submit({.id = "0-a", .request_digest = "digest", .spec = "spec", .tasks = {{.index = 0}}}).ok());
  Followed changes(*queue, "0-a");
  ASSERT_TRUE(changes.status().ok());
  EXPECT_FALSE(changes.Wait(absl::Now() + absl::Milliseconds(20)));
  ASSERT_TRUE(queue->Cancel("0-a").ok());
  EXPECT_TRUE(changes.Wait(absl::Now() + absl::Seconds(60)));
}

TEST_F(QueueTlsTest, OnlyACertificateOfATrustedAuthorityIsTaken) {
  const Authority other(folder_.path(), "other");
  QueueOptions options = Options();
  options.tls.ca = other.certificate().string();
  absl::Status status = Connects(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("certificate"));
  EXPECT_THAT(Message(status), HasSubstr("--redis-tls-ca"));
  options.tls.ca = "";  // the system's authorities do not know ours
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(QueueTlsTest, TheCertificateMustBearTheHostsName) {
  QueueOptions options = Options();
  options.address = "rediss://localhost:" + std::to_string(redis_.port());
  EXPECT_TRUE(Connects(options).ok()) << Connects(options);
  options.tls.server_name = "127.0.0.1";
  EXPECT_TRUE(Connects(options).ok());
  for (const char* name : {"redis.test", "127.0.0.2", "::1", "localhost.test"}) {
    options.tls.server_name = name;
    EXPECT_EQ(Connects(options).code(), absl::StatusCode::kFailedPrecondition) << name;
  }
}

class OtherNameTest : public QueueTlsTest {
 protected:
  OtherNameTest() : QueueTlsTest({"DNS:redis.test", "DNS:*.farm.test"}) {}
};

TEST_F(OtherNameTest, AnotherServersCertificateIsRefused) {
  QueueOptions options = Options();
  const absl::Status status = Connects(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("--redis-tls-name"));
  options.address = "rediss://localhost:" + std::to_string(redis_.port());
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kFailedPrecondition);
  for (const char* name : {"redis.test", "a.farm.test"}) {
    options.tls.server_name = name;
    EXPECT_TRUE(Connects(options).ok()) << name;
  }
  options.tls.server_name = "a.b.farm.test";
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kFailedPrecondition);
}

class ClientCertificateTest : public QueueTlsTest {
 protected:
  ClientCertificateTest() : QueueTlsTest({"IP:127.0.0.1"}, true) {}
};

TEST_F(ClientCertificateTest, IsShownAndWithoutOneTheServerRefuses) {
  QueueOptions options = Options();
  // Its refusal may be overtaken by the end of the connection.
  absl::Status status;
  do {
    status = Connects(options);
    ASSERT_FALSE(status.ok());
  } while (absl::IsUnavailable(status));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("--redis-tls-cert"));

  const PemFiles ours = authority_.Issue("worker", {.names = {}});
  options.tls.certificate = ours.certificate;
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kInvalidArgument);  // without its key
  options.tls.key = shown_.key;
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kInvalidArgument);  // with another's
  options.tls.key = ours.key;
  EXPECT_TRUE(Connects(options).ok()) << Connects(options);
  options.tls.ca = ours.key;
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kInvalidArgument);  // which is no certificate
  options.tls.ca = "/nowhere/ca.pem";
  EXPECT_THAT(Message(Connects(options)), HasSubstr("/nowhere/ca.pem"));
}

TEST_F(QueueTlsTest, ChangedFilesHoldFromTheNextConnectionOn) {
  namespace fs = std::filesystem;
  const Authority other(folder_.path(), "other");
  QueueOptions options = Options();
  const TemporaryFolder folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  options.tls.ca = (folder.path() / "trusted.pem").string();
  int age = 10;
  const auto trust = [&](const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(options.tls.ca, bytes).ok());
    fs::last_write_time(options.tls.ca, fs::file_time_type::clock::now() - std::chrono::seconds(age--));
  };
  trust(ReadFile(authority_.certificate()).value());
  const std::unique_ptr<Queue> queue = ConnectQueue(options).value();
  trust("half of a certificate");
  EXPECT_TRUE(Followed(*queue, "0-a").status().ok());  // by a new connection
  trust(ReadFile(other.certificate()).value());
  EXPECT_EQ(Followed(*queue, "0-a").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(queue->Ping().ok());  // by the one that there was
  trust(ReadFile(authority_.certificate()).value());
  EXPECT_TRUE(Followed(*queue, "0-a").status().ok());
}

TEST_F(QueueTlsTest, ASilentServerIsNotWaitedForForever) {
  const Endpoint endpoint = MakeEndpoint(Options()).value();
  const std::unique_ptr<Connection> connection =
      Connection::Dial(endpoint, endpoint.server, absl::Now() + absl::Seconds(60)).value();
  redis_.Signal(SIGSTOP);
  const absl::Time soon = absl::Now() + absl::Milliseconds(50);
  const absl::Status handshake = Connection::Dial(endpoint, endpoint.server, soon).status();
  EXPECT_EQ(handshake.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(handshake), HasSubstr("in time"));
  EXPECT_EQ(connection->Call(std::vector<std::string>{"PING"}, soon).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(connection->broken());  // or its late answer were the next call's
  redis_.Signal(SIGCONT);
  EXPECT_TRUE(Connects(Options()).ok());
}

TEST_F(QueueTlsTest, PlainTextIsNotAnswered) {
  QueueOptions options = Options();
  options.address = redis_.tcp_address();
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kUnavailable);
  options.tls.on = true;
  EXPECT_TRUE(Connects(options).ok());
  options.address = redis_.address();  // a Unix socket
  EXPECT_EQ(Connects(options).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace slipway
