// The audit log: a line a call, whoever made it, and no secrets in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "coordinator/service/audit_log.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "tests/coordinator/guarded_farm.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class AuditTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder.path() / "audit.jsonl"; }
  static std::vector<json> Lines(const std::filesystem::path& file) {
    std::vector<json> lines;
    std::istringstream text(ReadFile(file).value());
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  }
  std::vector<json> Lines() const { return Lines(file()); }
  // A line is there before its call's answer.
  json Last() const { return Lines().back(); }

  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-audit-").value();
  GuardedFarm guarded{{.audit_log = file()}};
};

TEST_F(AuditTest, EveryMethodLeavesALine) {
  const std::string token = guarded.token("a", Role::kAdmin, "m");
  std::set<std::string> expected, found;
  for (const std::string& method : AllMethods()) {
    expected.insert(method.substr(std::string("/slipway.v1.").size()));
    (void)Ask(guarded.Channel(token), method, "");
    (void)Ask(guarded.Channel(""), method, "");
  }
  const std::vector<json> lines = Lines();
  EXPECT_EQ(lines.size(), 2 * expected.size());
  for (const json& line : lines) {
    found.insert(line["method"].get<std::string>());
    const bool stranger = line["name"] == "";
    EXPECT_EQ(line["code"] == "UNAUTHENTICATED", stranger) << line;
    EXPECT_EQ(line["tenant"], stranger ? "" : "a") << line;
    EXPECT_EQ(line["role"], stranger ? "" : "admin") << line;
    EXPECT_THAT(line["time"].get<std::string>(), testing::MatchesRegex("20..-..-..T..:..:..\\....Z"));
  }
  EXPECT_EQ(found, expected);
}

TEST_F(AuditTest, SaysWhatACallWasAbout) {
  const std::string token = guarded.token("a", Role::kSubmit, "ci-7");
  const auto exports = v1::ExportService::NewStub(guarded.Channel(token));
  std::string id;
  {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    ASSERT_TRUE(exports->Submit(&context, NoopRequest(1), &response).ok());
    id = response.request_id();
  }
  json line = Last();
  EXPECT_THAT(line["peer"].get<std::string>(), HasSubstr("unix:"));
  line.erase("time");
  line.erase("peer");
  EXPECT_EQ(line, json({{"tenant", "a"},
                        {"role", "submit"},
                        {"name", "ci-7"},
                        {"method", "ExportService/Submit"},
                        {"subject", id},
                        {"code", "OK"}}));
  {
    grpc::ClientContext context;
    v1::DeleteRequest request;
    request.set_request_id(id);
    v1::DeleteResponse response;
    EXPECT_FALSE(exports->Delete(&context, request, &response).ok());
  }
  EXPECT_EQ(Last()["code"], "PERMISSION_DENIED");
  EXPECT_EQ(Last()["name"], "ci-7");
  {
    grpc::ClientContext context;
    v1::CancelRequest request;
    request.set_request_id("no such request: \"\n" + std::string(5000, 'x'));
    v1::CancelResponse response;
    EXPECT_FALSE(exports->Cancel(&context, request, &response).ok());
  }
  EXPECT_EQ(Last()["code"], "INVALID_ARGUMENT");
  EXPECT_THAT(Last()["subject"].get<std::string>(), testing::StartsWith("no such request: \"\nxxx"));
  EXPECT_LE(Last()["subject"].get<std::string>().size(), 200u);
  EXPECT_THAT(ReadFile(file()).value(), Not(HasSubstr(token.substr(4))));
}

TEST_F(AuditTest, GoesOnInANewFileWhenTheOldOneIsRenamed) {
  const std::string token = guarded.token("a", Role::kRead, "r");
  const auto call = [&] { return Ask(guarded.Channel(token), "/slipway.v1.FleetService/GetQueue", "").status(); };
  ASSERT_EQ(call(), absl::OkStatus());
  const std::filesystem::path old = folder.path() / "audit.1";
  std::filesystem::rename(file(), old);
  ASSERT_EQ(call(), absl::OkStatus());
  EXPECT_EQ(Lines(old).size(), 2u);
  guarded.coordinator->Reload();
  ASSERT_EQ(call(), absl::OkStatus());
  EXPECT_EQ(Lines(old).size(), 2u);
  EXPECT_EQ(Lines().size(), 1u);
}

TEST_F(AuditTest, LinesAreWholeHoweverManyWriteThem) {
  const auto log = AuditLog::Open(folder.path() / "many").value();
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&log, name = std::to_string(caller)] {
      for (int i = 0; i < 200; ++i) {
        log->Write({.peer = "p", .name = name, .method = "M", .subject = "\xff", .code = "OK"});
        if (i % 50 == 0) log->Reopen();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(Lines(folder.path() / "many").size(), 8u * 200);
}

TEST_F(AuditTest, AFileThatCannotBeOpenedIsRefused) {
  const absl::Status status = AuditLog::Open(folder.path() / "none" / "audit").status();
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
  EXPECT_THAT(Message(status), HasSubstr("none/audit"));
}

}  // namespace
}  // namespace slipway
