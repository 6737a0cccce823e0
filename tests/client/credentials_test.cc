// slipway token, and a farm that asks who calls: the real binaries over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/client/command.h"
#include "tests/support/certificates.h"
#include "tests/support/redis.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class TokenVerbTest : public testing::Test {
 protected:
  Ended Token(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "token");
    arguments.insert(arguments.end(), {"--tokens", "tokens"});
    return box_.Run(arguments);
  }
  Ended New(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"new", "--tenant", "research", "--role", "submit", "--name", name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Token(arguments);
  }
  Sandbox box_;
};

TEST_F(TokenVerbTest, MakesShowsAndRevokes) {
  const Ended made = New("ci", {"--expires", "90d"});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, MatchesRegex("slw_[0-9a-f]+\n"));
  EXPECT_THAT(ReadAll(box_.work() / "tokens"), Not(HasSubstr(made.out.substr(4, 64))));
  EXPECT_EQ(std::filesystem::status(box_.work() / "tokens").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const json another = json::parse(New("other", {"--json"}).out);
  EXPECT_EQ(another["expires"], nullptr);
  EXPECT_THAT(another["token"].get<std::string>(), testing::StartsWith("slw_"));

  const Ended listed = Token({"list"});
  EXPECT_THAT(listed.out, HasSubstr("ci     research  submit  20"));
  EXPECT_THAT(listed.out, HasSubstr("other  research  submit  never"));
  EXPECT_THAT(listed.out, Not(HasSubstr("slw_")));
  const json first = json::parse(Token({"list", "--json"}).out.substr(0, Token({"list", "--json"}).out.find('\n')));
  EXPECT_EQ(first["name"], "ci");
  EXPECT_EQ(first["role"], "submit");
  EXPECT_EQ(first["expired"], false);
  EXPECT_THAT(first["expires"].get<std::string>(), MatchesRegex("20..-..-..T..:..:..Z"));

  EXPECT_EQ(Token({"revoke", "ci"}).code, 0);
  EXPECT_THAT(Token({"list"}).out, Not(HasSubstr("ci ")));
}

TEST_F(TokenVerbTest, WrongUseIsExit2) {
  ASSERT_EQ(New("ci").code, 0);
  const struct {
    std::vector<std::string> arguments;
    const char* complaint;
  } cases[] = {
      {{"new", "--tenant", "a", "--role", "read"}, "needs --tenant, --role and --name"},
      {{"new", "--tenant", "a", "--role", "owner", "--name", "n"}, "it is read, submit or admin"},
      {{"new", "--tenant", "../a", "--role", "read", "--name", "n"}, "--tenant ../a"},
      {{"new", "--tenant", "a", "--role", "read", "--name", "two words"}, "--name two words"},
      {{"new", "--tenant", "a", "--role", "read", "--name", "ci"}, "has a token named ci"},
      {{"new", "--tenant", "a", "--role", "read", "--name", "n", "--expires", "soon"}, "'soon' is not a time"},
      {{"new", "--tenant", "a", "--role", "read", "--name", "n", "--expires", "-1d"}, "is not a time"},
      {{"revoke"}, "needs the names"},
      {{"revoke", "nobody"}, "no token named nobody"},
      {{"list", "x"}, "takes no name"},
      {{"forge"}, "it is new, list or revoke"},
  };
  for (const auto& wrong : cases) {
    const Ended ended = Token(wrong.arguments);
    EXPECT_EQ(ended.code, 2) << wrong.complaint << ended.out << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(wrong.complaint));
    EXPECT_EQ(ended.out, "");
  }
  const Ended no_file = box_.Run({"token", "list"});
  EXPECT_EQ(no_file.code, 2);
  EXPECT_THAT(no_file.err, HasSubstr("--tokens FILE or SLIPWAY_TOKENS"));
}

// Coordinators refuse it: better said by whoever keeps it.
TEST_F(TokenVerbTest, AFileThatAnybodyMayWriteToIsWarnedOf) {
  EXPECT_THAT(New("ci").err, Not(HasSubstr("warning")));
  std::filesystem::permissions(box_.work() / "tokens", std::filesystem::perms(0666));
  const Ended listed = Token({"list"});
  EXPECT_EQ(listed.code, 0);
  EXPECT_THAT(listed.err, HasSubstr("anybody may write to it"));
  EXPECT_THAT(New("other").err, HasSubstr("chmod o-w"));
}

// A farm on a TCP port of loopback that asks for tokens over TLS.
class GuardedServerTest : public testing::Test {
 protected:
  GuardedServerTest() {
    const PemFiles shown = authority_.Issue("farm");
    const std::string bin = SLIPWAY_BIN_DIR, store = (box_.work() / "store").string();
    submit_ = NewToken("research", "submit", "ci");
    coordinator_ = box_.StartProgram(bin + "/slipway-coordinator",
                                     {"--redis", redis_.address(), "--store", store, "--listen", "127.0.0.1:0",
                                      "--tls-cert", shown.certificate.string(), "--tls-key", shown.key.string(),
                                      "--tokens", "tokens", "--audit-log", "audit.jsonl", "--log-level", "debug"});
    worker_ =
        box_.StartProgram(bin + "/slipway-worker", {"--redis", redis_.address(), "--store", store, "--slots", "1"});
    server_ = AddressOf(*coordinator_);
    EXPECT_TRUE(Eventually([&] { return !Run({"workers", "--json"}, submit_).out.empty(); }));
  }
  ~GuardedServerTest() override {
    for (const auto* process : {worker_.get(), coordinator_.get()}) process->Signal(SIGTERM);
    EXPECT_EQ(worker_->Wait().code, 0);
    EXPECT_EQ(coordinator_->Wait().code, 0);
  }

  // A coordinator's log says on which port it listens.
  static std::string AddressOf(const Running& coordinator) {
    constexpr std::string_view kBefore = "serving address=";
    std::string address;
    EXPECT_TRUE(Eventually([&] {
      const std::string log = coordinator.ErrorsSoFar();
      const size_t at = log.find(kBefore), end = at == std::string::npos ? at : log.find('\n', at);
      if (end == std::string::npos) return false;
      address = log.substr(at + kBefore.size(), end - at - kBefore.size());
      return true;
    }));
    return address;
  }
  std::string NewToken(const std::string& tenant, const std::string& role, const std::string& name) {
    std::string token =
        box_.Run({"token", "new", "--tokens", "tokens", "--tenant", tenant, "--role", role, "--name", name}).out;
    token.pop_back();
    return token;
  }
  // As a user who trusts the farm's authority.
  Ended Run(const std::vector<std::string>& arguments, const std::string& token, Environment environment = {}) {
    environment.emplace("SLIPWAY_SERVER", server_);
    environment.emplace("SLIPWAY_TLS_CA", authority_.certificate().string());
    if (!token.empty()) environment.emplace("SLIPWAY_TOKEN", token);
    return box_.Run(arguments, environment);
  }

  RedisServer redis_;
  Sandbox box_;
  Authority authority_{box_.work(), "our-authority"};
  std::string submit_, server_;
  std::unique_ptr<Running> coordinator_, worker_;
};

TEST_F(GuardedServerTest, ExportsForWhoMay) {
  const std::vector<std::string> arguments = {"export", "lite", "--dummy", "--target", "onnx", "--no-verify"};
  const Ended ended = Run(arguments, submit_);
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  const std::string manifest = ReadAll(box_.work() / "exports/manifest.json");
  const std::string request = json::parse(manifest)["request_id"];
  EXPECT_EQ(Run({"status", request}, submit_).code, 0);
  EXPECT_EQ(Run({"status", request}, NewToken("research", "read", "viewer")).code, 0);

  const Ended other = Run({"status", request}, NewToken("rivals", "admin", "spy"));
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("there is no request"));
  const Ended refused = Run({"delete", request}, submit_);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err,
              HasSubstr("ExportService/Delete needs the role admin, and ci of tenant research has submit"));
  EXPECT_EQ(Run({"delete", request}, NewToken("research", "admin", "keeper")).code, 0);

  // The token is nowhere but where it was put.
  const std::string secret = submit_.substr(4);
  EXPECT_THAT(ended.out + ended.err + refused.err + manifest + coordinator_->ErrorsSoFar(), Not(HasSubstr(secret)));
  const std::string audit = ReadAll(box_.work() / "audit.jsonl");
  EXPECT_THAT(audit, Not(HasSubstr(secret)));
  EXPECT_THAT(
      audit,
      HasSubstr(R"("tenant":"research","role":"submit","name":"ci","method":"ExportService/Submit","subject":")" +
                request));
  EXPECT_THAT(audit, HasSubstr(R"("name":"spy","method":"ExportService/Get","subject":")" + request +
                               R"(","code":"NOT_FOUND")"));
}

TEST_F(GuardedServerTest, TheTokenComesFromAFileOrTheEnvironment) {
  box_.File("token", submit_ + "\nnotes\n");
  box_.File("empty", "\n");
  EXPECT_EQ(Run({"list", "--token-file", "token"}, "slw_wrong").code, 0);  // the file goes first
  EXPECT_EQ(Run({"list"}, "", {{"SLIPWAY_TOKEN_FILE", "token"}}).code, 0);
  const struct {
    Ended ended;
    const char* complaint;
  } cases[] = {
      {Run({"list"}, ""), "this farm asks for a token"},
      {Run({"list"}, "slw_wrong"), "does not know the token"},
      {Run({"list"}, "two words"), "the token is none"},
      {Run({"list", "--token-file", "absent"}, submit_), "--token-file: open absent: No such file"},
      {Run({"list", "--token-file", "empty"}, submit_), "its first line, the token, is empty"},
      {Run({"list", "--tls-ca", "token"}, submit_), "--tls-ca token: no certificates in PEM form"},
      {box_.Run({"list", "--server", "farm.example:7400"}, {{"SLIPWAY_TOKEN", submit_}}), "--insecure"},
  };
  for (const auto& [ended, complaint] : cases) {
    EXPECT_EQ(ended.code, 2) << complaint << ": " << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(complaint));
    EXPECT_THAT(ended.err, Not(HasSubstr(submit_.substr(4))));
  }
}

TEST_F(GuardedServerTest, SaysWhyItCannotConnect) {
  const Authority strangers(box_.work(), "strangers");
  const Ended unknown = Run({"list"}, submit_, {{"SLIPWAY_TLS_CA", strangers.certificate().string()}});
  EXPECT_EQ(unknown.code, 5);
  EXPECT_THAT(unknown.err, HasSubstr("its certificate is signed by \"our-authority\""));
  const Ended plain = box_.Run({"list", "--server", server_}, {{"SLIPWAY_TOKEN", submit_}});
  EXPECT_EQ(plain.code, 5);
  EXPECT_THAT(plain.err, HasSubstr("it speaks TLS: name its certificate authority (--tls-ca FILE)"));
}

// Callers who show certificates instead of tokens.
TEST_F(GuardedServerTest, CertificatesSayWhoCalls) {
  const PemFiles shown = authority_.Issue("second-farm");
  const PemFiles viewer = authority_.Issue("viewer", {.names = {"URI:slipway://research/read/viewer"}});
  const auto second =
      box_.StartProgram(std::string(SLIPWAY_BIN_DIR) + "/slipway-coordinator",
                        {"--redis", redis_.address(), "--store", (box_.work() / "store").string(), "--listen",
                         "127.0.0.1:0", "--tls-cert", shown.certificate.string(), "--tls-key", shown.key.string(),
                         "--tls-client-ca", authority_.certificate().string(), "--log-level", "info"});
  server_ = AddressOf(*second);
  const std::vector<std::string> with = {"--tls-cert", viewer.certificate.string(), "--tls-key", viewer.key.string()};
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), with.begin(), with.end());
    return Run(arguments, "");
  };
  EXPECT_EQ(run({"list"}).code, 0);
  const Ended cancelled = run({"cancel", "0-00000000000000000000000000000000"});
  EXPECT_EQ(cancelled.code, 2);
  EXPECT_THAT(cancelled.err, HasSubstr("needs the role submit, and viewer of tenant research has read"));
  const Ended without = Run({"list"}, "");
  EXPECT_EQ(without.code, 5);
  EXPECT_THAT(without.err, HasSubstr("it wants a certificate of its callers: name yours with --tls-cert"));
  const Ended half = Run({"list", "--tls-cert", viewer.certificate.string()}, "");
  EXPECT_EQ(half.code, 2);
  EXPECT_THAT(half.err, HasSubstr("a TLS certificate goes with its key"));
  second->Signal(SIGTERM);
  EXPECT_EQ(second->Wait().code, 0);
}

// SIGHUP: at once, without a restart, without a lost call.
TEST_F(GuardedServerTest, ARevokedTokenIsRefusedAndTheAuditLogTurnsOver) {
  EXPECT_EQ(Run({"list"}, submit_).code, 0);
  std::filesystem::rename(box_.work() / "audit.jsonl", box_.work() / "audit.1");
  ASSERT_EQ(box_.Run({"token", "revoke", "ci", "--tokens", "tokens"}).code, 0);
  coordinator_->Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(box_.work() / "audit.jsonl"); }));
  const Ended refused = Run({"list"}, submit_);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("does not know the token"));
  EXPECT_THAT(ReadAll(box_.work() / "audit.jsonl"), HasSubstr("\"code\":\"UNAUTHENTICATED\""));
  submit_ = NewToken("research", "submit", "next");
  EXPECT_TRUE(Eventually([&] { return Run({"list"}, submit_).code == 0; }));
}

}  // namespace
}  // namespace slipway
