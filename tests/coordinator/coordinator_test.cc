// Where a coordinator listens, its health, its reflection.
#include "coordinator/service/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/slipway/v1/export.grpc.pb.h"
#include "tests/support/ask.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;

absl::StatusOr<std::string> Ask(const std::string& address, const std::string& method, const std::string& message) {
  return slipway::Ask(OpenChannel(Address::Parse(address).value()), method, message);
}

// grpc.health.v1: HealthCheckRequest { string service = 1 }, HealthCheckResponse { status = 1: 1 SERVING, 2 NOT_SERVING }.
absl::StatusOr<std::string> Health(const std::string& address, const std::string& service) {
  return Ask(address, "/grpc.health.v1.Health/Check",
             service.empty() ? "" : std::string{'\x0a', static_cast<char>(service.size())} + service);
}

class CoordinatorTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Coordinator>> Start(const CoordinatorOptions& options) {
    return Coordinator::Start(options, *farm.queue, *farm.store);
  }
  std::string Socket(const char* name) const { return "unix:" + (farm.folder() / name).string(); }

  TestFarm farm;
};

TEST_F(CoordinatorTest, HealthHasAnAddressOfItsOwn) {
  const auto coordinator = Start({.listen = {Socket("main")}, .health_listen = Socket("health")}).value();
  const std::string serving("\x08\x01");
  for (const char* service : {"", "slipway.v1.ExportService", "slipway.v1.BlobService", "slipway.v1.FleetService"}) {
    EXPECT_EQ(Health(Socket("health"), service).value(), serving) << service;
  }
  EXPECT_TRUE(absl::IsNotFound(Health(Socket("health"), "slipway.v1.NoService").status()));
  EXPECT_TRUE(absl::IsUnimplemented(Health(Socket("main"), "").status()));
}

TEST_F(CoordinatorTest, ReflectionListsTheServices) {
  // ServerReflectionRequest { string list_services = 7 }
  const std::string answer =
      Ask(farm.address(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*").value();
  for (const char* service : {"slipway.v1.ExportService", "slipway.v1.BlobService", "slipway.v1.FleetService"})
    EXPECT_THAT(answer, HasSubstr(service));
}

TEST_F(CoordinatorTest, ServesOnEveryAddress) {
  const auto coordinator = Start({.listen = {Socket("a"), "127.0.0.1:0", "[::1]:0"}}).value();
  ASSERT_EQ(coordinator->addresses().size(), 3u);
  EXPECT_EQ(coordinator->addresses()[0], Socket("a"));
  EXPECT_THAT(coordinator->addresses()[1], testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  for (const std::string& address : coordinator->addresses()) {
    const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse(address).value()));
    grpc::ClientContext context;
    v1::ListResponse response;
    const grpc::Status status = stub->List(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << address << ": " << status.error_message();
  }
}

TEST_F(CoordinatorTest, PlainTextOnlyOnLoopbackUnlessAsked) {
  const absl::Status refused = Start({.listen = {"0.0.0.0:0"}}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(Message(refused), HasSubstr("--insecure"));
  EXPECT_EQ(Start({.listen = {"0.0.0.0:0"}, .insecure = true}).status(), absl::OkStatus());
}

TEST_F(CoordinatorTest, AnAddressInUseIsAnError) {
  const auto first = Start({.listen = {"127.0.0.1:0"}}).value();
  const absl::Status second = Start({.listen = {first->addresses()[0]}}).status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  EXPECT_THAT(Message(second), HasSubstr(first->addresses()[0]));
  EXPECT_TRUE(absl::IsUnavailable(Start({.listen = {"unix:/nonexistent/socket"}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Start({}).status()));
}

TEST_F(CoordinatorTest, MaintainsTheQueue) {
  const auto expired = ConnectQueue({.address = farm.redis.address(), .lease = absl::Milliseconds(20)}).value();
  const auto stub = v1::ExportService::NewStub(farm.OpenChannel());
  grpc::ClientContext context;
  v1::SubmitResponse submitted;
  ASSERT_TRUE(stub->Submit(&context, NoopRequest(1), &submitted).ok());
  const LeasedTask lost =
      expired->Lease({.worker = "dies", .token = RandomHex(16), .classes = {"any"}}).value().value();
  // The task comes back without anybody but the coordinator at work.
  std::optional<LeasedTask> again;
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!again.has_value() && absl::Now() < deadline) {
    again = farm.queue->AwaitLease({.worker = "lives", .token = RandomHex(16), .classes = {"any"}}).value();
  }
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attempt, 2);
  EXPECT_NE(again->token, lost.token);
}

}  // namespace
}  // namespace slipway
