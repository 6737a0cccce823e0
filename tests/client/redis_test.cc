// A named farm over Redis as it is run in earnest: encrypted, as a user of its own, watched by sentinels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/queue/permissions.h"
#include "tests/client/command.h"
#include "tests/support/certificates.h"
#include "tests/support/replicated_redis.h"
#include "tests/support/scrape.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class RedisTest : public testing::Test {
 protected:
  RedisTest()
      : shown_(authority_.Issue("server", {.names = {"IP:127.0.0.1"}})),
        redis_({.encrypted = true,
                .config = {"tls-cert-file " + shown_.certificate.string(), "tls-key-file " + shown_.key.string(),
                           "tls-ca-cert-file " + authority_.certificate().string(), "tls-auth-clients no"},
                .servers_config = {"user slipway on >farm " + PermissionRules("0")}}) {
    environment_ = {{"SLIPWAY_REDIS", redis_.address()},
                    {"SLIPWAY_REDIS_USER", "slipway"},
                    {"SLIPWAY_REDIS_PASSWORD_FILE", box_.File("password", "farm\n").string()},
                    {"SLIPWAY_REDIS_SENTINEL_PASSWORD_FILE", box_.File("sentinels", "secret\n").string()},
                    {"SLIPWAY_REDIS_TLS", "true"},
                    {"SLIPWAY_REDIS_TLS_CA", authority_.certificate().string()},
                    {"SLIPWAY_STORE", (box_.work() / "store").string()}};
  }

  std::string server() const { return "unix:" + (box_.work() / "api.sock").string(); }
  std::unique_ptr<Running> Daemon(const std::string& name, const std::vector<std::string>& arguments = {}) {
    return box_.StartProgram(SLIPWAY_BIN_DIR "/" + name, arguments, environment_);
  }
  std::unique_ptr<Running> Export(const std::string& name) {
    return box_.Start({"export", name + "=lite", "--dummy", "--target", "onnx,tflite,ncnn", "--no-verify", "--out",
                       name, "--server", server()});
  }

  const TemporaryFolder folder_ = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  const Authority authority_{folder_.path(), "ca"};
  const PemFiles shown_;
  ReplicatedRedis redis_;
  Sandbox box_;
  Environment environment_;
};

TEST_F(RedisTest, ExportsGoOnAfterTheMasterIsKilled) {
  const auto coordinator =
      Daemon("slipway-coordinator", {"--listen", server(), "--metrics-listen", "127.0.0.1:0", "--log-level", "info"});
  const auto worker = Daemon("slipway-worker", {"--slots", "2"});
  EXPECT_TRUE(Eventually([&] {
    return box_.Run({"doctor", "--server", server()}).out.find("1 worker") != std::string::npos;
  }));
  EXPECT_EQ(Export("calm")->Wait().code, 0);

  worker->Signal(SIGSTOP);  // nothing can end before the fault
  const auto exported = Export("stormy");
  EXPECT_TRUE(Eventually([&] {
    return box_.Run({"list", "--server", server()}).out.find("active") != std::string::npos;
  }));
  redis_.master().Kill9();
  redis_.FailOver();
  worker->Signal(SIGCONT);
  const Ended ended = exported->Wait();
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err << coordinator->ErrorsSoFar() << worker->ErrorsSoFar();
  const std::string log = coordinator->ErrorsSoFar();
  const std::string says = "metrics address=";
  ASSERT_THAT(log, HasSubstr(says));
  const size_t metrics = log.find(says) + says.size();
  const std::string address = log.substr(metrics, log.find('\n', metrics) - metrics);
  EXPECT_TRUE(Eventually([&] { return ScrapeMetrics(address)["slipway_redis_master_changes_total"] >= 1; }));
  for (const auto* daemon : {worker.get(), coordinator.get()}) daemon->Signal(SIGTERM);
  EXPECT_EQ(worker->Wait().code, 0);
  EXPECT_EQ(coordinator->Wait().code, 0);
}

TEST_F(RedisTest, DaemonsThatWouldNotWorkSayWhyAndEnd) {
  const auto refused = [&](const std::string& variable, const std::string& value, int code, const std::string& why) {
    const auto is = environment_.find(variable);
    const std::string before = is == environment_.end() ? "" : is->second;
    environment_[variable] = value;
    for (const auto& [program, arguments] : std::map<std::string, std::vector<std::string>>{
             {"slipway-coordinator", {"--listen", server()}}, {"slipway-worker", {}}}) {
      const Ended ended = Daemon(program, arguments)->Wait();
      EXPECT_EQ(ended.code, code) << program << " " << variable;
      EXPECT_THAT(ended.err, HasSubstr(why)) << program;
    }
    environment_[variable] = before;
    if (before.empty()) environment_.erase(variable);
  };
  refused("SLIPWAY_REDIS_TLS_NAME", "redis.test", 5, "--redis-tls-name");
  refused("SLIPWAY_REDIS_TLS_CA", "/nowhere/ca.pem", 2, "--redis-tls-ca /nowhere/ca.pem");
  refused("SLIPWAY_REDIS_TLS_CERT", shown_.certificate, 2, "--redis-tls-key");
  refused("SLIPWAY_REDIS_TLS", "false", 2, "--redis-tls");
  refused("SLIPWAY_REDIS_PASSWORD_FILE", "/nowhere/password", 2, "--redis-password-file");
  refused("SLIPWAY_REDIS_PASSWORD_FILE", box_.File("wrong", "wrong").string(), 5, "WRONGPASS");
  refused("SLIPWAY_REDIS", "sentinel:farm", 2, "sentinel:NAME@HOST:PORT");
  redis_.Ask(redis_.master(), {"ACL", "SETUSER", "slipway", "-publish"});
  refused("SLIPWAY_SHARD", "0", 5, "lacks the commands +publish");
}

}  // namespace
}  // namespace slipway
