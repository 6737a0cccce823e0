// Addresses and errors as they cross gRPC.
#include <grpcpp/channel.h>
#include <grpcpp/server.h>
#include <gtest/gtest.h>

#include <mutex>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/rpc/address.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/status.h"
#include "proto/slipway/v1/export.grpc.pb.h"

namespace slipway {
namespace {

TEST(Address, ReadsEveryForm) {
  const Address socket = Address::Parse("unix:/run/farm.sock").value();
  EXPECT_TRUE(socket.is_unix());
  EXPECT_EQ(socket.path, "/run/farm.sock");
  EXPECT_TRUE(socket.IsLocal());
  const Address host = Address::Parse("farm.example:9000").value();
  EXPECT_EQ(host.host, "farm.example");
  EXPECT_EQ(host.port, 9000);
  EXPECT_FALSE(host.IsLocal());
  const Address six = Address::Parse("[::1]:0").value();
  EXPECT_EQ(six.host, "::1");
  EXPECT_TRUE(six.IsLocal());
  EXPECT_TRUE(Address::Parse("127.0.0.1:1").value().IsLocal());
  EXPECT_FALSE(Address::Parse("0.0.0.0:1").value().IsLocal());
  for (const char* text : {"unix:/run/farm.sock", "farm.example:9000", "[::1]:0"})
    EXPECT_EQ(Address::Parse(text).value().ToString(), text);
}

TEST(Address, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string("farm"), std::string(""), std::string(":9000"), std::string("farm:"), std::string("farm:x"),
        std::string("farm:65536"), std::string("farm:-1"), std::string("::1:9000"), std::string("[::1:9000"),
        std::string("http://farm:9000"), std::string("unix:"), "unix:/" + std::string(107, 'a')}) {
    const absl::Status status = Address::Parse(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << text;
  }
}

// Answers every Cancel with one status.
class Refusing final : public v1::ExportService::CallbackService {
 public:
  void Answer(const absl::Status& status, bool with_kind = true) {
    std::lock_guard lock(mutex_);
    status_ = status;
    with_kind_ = with_kind;
  }

  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context, const v1::CancelRequest*,
                                   v1::CancelResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    std::lock_guard lock(mutex_);
    reactor->Finish(with_kind_ ? ToGrpc(status_, *context)
                               : grpc::Status(static_cast<grpc::StatusCode>(status_.code()), Message(status_)));
    return reactor;
  }

 private:
  std::mutex mutex_;
  absl::Status status_;
  bool with_kind_ = true;
};

class StatusOverGrpc : public testing::Test {
 protected:
  // A socket whose path needs encoding in a URI.
  StatusOverGrpc() : folder_(TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway test%20").value()) {
    const Address address = Address::Parse("unix:" + (folder_.path() / "s").string()).value();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address.ListenTarget(), grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    ConfigureServer(builder);
    server_ = builder.BuildAndStart();
    stub_ = v1::ExportService::NewStub(OpenChannel(address));
  }
  absl::Status Call() {
    grpc::ClientContext context;
    v1::CancelResponse response;
    return FromGrpc(stub_->Cancel(&context, {}, &response), context);
  }

  TemporaryFolder folder_;
  Refusing service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ExportService::Stub> stub_;
};

TEST_F(StatusOverGrpc, KeepsCodeMessageAndKind) {
  // Kinds that the codes alone would not give.
  for (const absl::Status& status :
       {WithKind(InvalidArgument("é {}", 1), ErrorKind::kUsage), WithKind(InvalidArgument("a"), ErrorKind::kMachine),
        WithKind(NotFound("b"), ErrorKind::kModel), WithKind(Unavailable("c"), ErrorKind::kCancelled)}) {
    service_.Answer(status);
    const absl::Status received = Call();
    EXPECT_EQ(received.code(), status.code());
    EXPECT_EQ(received.message(), status.message());
    EXPECT_EQ(KindOf(received), KindOf(status));
  }
  service_.Answer(absl::OkStatus());
  EXPECT_EQ(Call(), absl::OkStatus());
}

TEST_F(StatusOverGrpc, ALongMessageArrivesCut) {
  const std::string ascii(20'000, 'x');
  std::string accented;
  for (int i = 0; i < 10'000; ++i) accented += "é";
  for (const std::string& text : {ascii, accented, "x" + accented}) {
    service_.Answer(WithKind(absl::NotFoundError(text), ErrorKind::kUsage));
    const absl::Status received = Call();
    EXPECT_EQ(received.code(), absl::StatusCode::kNotFound) << received;
    EXPECT_EQ(KindOf(received), ErrorKind::kUsage);
    const std::string message = Message(received);
    ASSERT_TRUE(message.ends_with("...")) << message;
    EXPECT_TRUE(text.starts_with(message.substr(0, message.size() - 3)));
    EXPECT_GT(message.size(), 2000u);
    EXPECT_NE(message[message.size() - 4], '\xc3');  // no half of a character
  }
  service_.Answer(absl::NotFoundError(ascii.substr(0, 7000)));
  EXPECT_EQ(Message(Call()).size(), 7000u);
}

TEST_F(StatusOverGrpc, WithoutKindItIsTheMachines) {
  service_.Answer(absl::InvalidArgumentError("from elsewhere"), /*with_kind=*/false);
  EXPECT_EQ(KindOf(Call()), ErrorKind::kMachine);
  service_.Answer(absl::CancelledError("from elsewhere"), /*with_kind=*/false);
  EXPECT_EQ(KindOf(Call()), ErrorKind::kCancelled);
}

TEST(Channel, NobodyThereIsUnavailable) {
  const auto stub = v1::ExportService::NewStub(OpenChannel(Address::Parse("unix:/nonexistent/socket").value()));
  grpc::ClientContext context;
  v1::CancelResponse response;
  const absl::Status status = FromGrpc(stub->Cancel(&context, {}, &response), context);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kMachine);
}

}  // namespace
}  // namespace slipway
