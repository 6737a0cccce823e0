// Who may call, and what each sees: tokens, roles, tenants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "common/rpc/digest_message.h"
#include "common/rpc/status.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"
#include "tests/coordinator/guarded_farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

// One caller's view of the farm.
class User {
 public:
  explicit User(const std::shared_ptr<grpc::Channel>& channel)
      : exports_(v1::ExportService::NewStub(channel)), blobs_(v1::BlobService::NewStub(channel)) {}

  absl::StatusOr<std::string> Submit(const v1::SubmitRequest& request) {
    v1::SubmitResponse response;
    grpc::ClientContext context;
    RETURN_IF_ERROR(FromGrpc(exports_->Submit(&context, request, &response), context));
    return response.request_id();
  }
  absl::Status Get(const std::string& id) {
    v1::GetResponse response;
    return Of<v1::GetRequest>(
        id, [&](auto* context, const auto& request) { return exports_->Get(context, request, &response); });
  }
  absl::Status Watch(const std::string& id) {
    grpc::ClientContext context;
    v1::WatchRequest request;
    request.set_request_id(id);
    const auto stream = exports_->Watch(&context, request);
    v1::WatchResponse response;
    if (stream->Read(&response)) context.TryCancel();
    return FromGrpc(stream->Finish(), context);
  }
  absl::Status Cancel(const std::string& id) {
    v1::CancelResponse response;
    return Of<v1::CancelRequest>(
        id, [&](auto* context, const auto& request) { return exports_->Cancel(context, request, &response); });
  }
  absl::Status Retry(const std::string& id) {
    v1::RetryResponse response;
    return Of<v1::RetryRequest>(
        id, [&](auto* context, const auto& request) { return exports_->Retry(context, request, &response); });
  }
  absl::Status Delete(const std::string& id) {
    v1::DeleteResponse response;
    return Of<v1::DeleteRequest>(
        id, [&](auto* context, const auto& request) { return exports_->Delete(context, request, &response); });
  }
  std::vector<std::string> List() {
    v1::ListResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(exports_->List(&context, {}, &response).ok());
    std::vector<std::string> ids;
    for (const v1::RequestInfo& request : response.requests()) ids.push_back(request.request_id());
    return ids;
  }
  absl::Status Upload(const std::string& bytes) {
    grpc::ClientContext context;
    v1::UploadResponse response;
    v1::UploadRequest chunk;
    *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(Digest::Of(bytes));
    chunk.set_data(bytes);
    const auto stream = blobs_->Upload(&context, &response);
    stream->Write(chunk);
    stream->WritesDone();
    return FromGrpc(stream->Finish(), context);
  }
  absl::Status Download(const Digest& digest) {
    grpc::ClientContext context;
    v1::DownloadRequest request;
    *request.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    const auto stream = blobs_->Download(&context, request);
    for (v1::DownloadResponse response; stream->Read(&response);) continue;
    return FromGrpc(stream->Finish(), context);
  }
  bool Lacks(const Digest& digest) {
    grpc::ClientContext context;
    v1::FindMissingRequest request;
    *request.add_digests() = ToDigestMessage<v1::Digest>(digest);
    v1::FindMissingResponse response;
    EXPECT_TRUE(blobs_->FindMissing(&context, request, &response).ok());
    return response.missing_size() == 1;
  }

 private:
  template <typename Request, typename Act>
  absl::Status Of(const std::string& id, const Act& act) {
    grpc::ClientContext context;
    Request request;
    request.set_request_id(id);
    return FromGrpc(act(&context, request), context);
  }

  const std::unique_ptr<v1::ExportService::Stub> exports_;
  const std::unique_ptr<v1::BlobService::Stub> blobs_;
};

class AuthTest : public testing::Test {
 protected:
  absl::Status Ask(const std::string& method, const std::string& token) {
    return slipway::Ask(guarded.Channel(token), method, "").status();
  }
  GuardedFarm guarded;
};

// What each method needs, as the documentation says it. A method that is missing here fails the tests.
const std::map<std::string, Role> kNeeds = {
    {"/slipway.v1.ExportService/Submit", Role::kSubmit}, {"/slipway.v1.ExportService/Get", Role::kRead},
    {"/slipway.v1.ExportService/Watch", Role::kRead},    {"/slipway.v1.ExportService/Cancel", Role::kSubmit},
    {"/slipway.v1.ExportService/Retry", Role::kSubmit},  {"/slipway.v1.ExportService/Delete", Role::kAdmin},
    {"/slipway.v1.ExportService/List", Role::kRead},     {"/slipway.v1.BlobService/FindMissing", Role::kSubmit},
    {"/slipway.v1.BlobService/Upload", Role::kSubmit},   {"/slipway.v1.BlobService/QueryUpload", Role::kSubmit},
    {"/slipway.v1.BlobService/Download", Role::kRead},   {"/slipway.v1.FleetService/ListWorkers", Role::kRead},
    {"/slipway.v1.FleetService/GetQueue", Role::kRead},
};

TEST_F(AuthTest, EveryMethodRefusesStrangers) {
  const std::string expired = guarded.token("a", Role::kAdmin, "old", absl::Now() - absl::Hours(1));
  const struct {
    std::string token;
    const char* reason;
  } strangers[] = {{"", "asks for a token"},
                   {"slw_" + std::string(64, '0'), "does not know the token"},
                   {expired, "old expired at"}};
  ASSERT_EQ(AllMethods().size(), kNeeds.size());
  for (const std::string& method : AllMethods()) {
    for (const auto& stranger : strangers) {
      const absl::Status status = Ask(method, stranger.token);
      EXPECT_TRUE(absl::IsUnauthenticated(status)) << method << ": " << status;
      EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << method;
      EXPECT_THAT(Message(status), HasSubstr(stranger.reason)) << method;
    }
  }
}

TEST_F(AuthTest, EveryMethodAsksForItsRole) {
  const std::pair<Role, std::string> callers[] = {{Role::kRead, guarded.token("a", Role::kRead, "r")},
                                                  {Role::kSubmit, guarded.token("a", Role::kSubmit, "s")},
                                                  {Role::kAdmin, guarded.token("a", Role::kAdmin, "m")}};
  for (const std::string& method : AllMethods()) {
    ASSERT_TRUE(kNeeds.contains(method)) << method;
    const Role needs = kNeeds.at(method);
    for (const auto& [role, token] : callers) {
      const absl::Status status = Ask(method, token);
      EXPECT_FALSE(absl::IsUnauthenticated(status)) << method << ": " << status;
      EXPECT_EQ(absl::IsPermissionDenied(status), role < needs) << method << ": " << status;
      if (role < needs) {
        EXPECT_THAT(Message(status), HasSubstr(fmt::format("needs the role {}", Name(needs))));
        EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
      }
    }
  }
}

TEST_F(AuthTest, OnlyBearerTokensInOneHeader) {
  const std::string token = guarded.token("a", Role::kRead, "r");
  const auto stub = v1::FleetService::NewStub(OpenChannel(Address::Parse(guarded.address()).value()));
  const auto call = [&](const std::vector<std::string>& headers) {
    grpc::ClientContext context;
    for (const std::string& header : headers) context.AddMetadata("authorization", header);
    v1::GetQueueResponse response;
    return FromGrpc(stub->GetQueue(&context, {}, &response), context);
  };
  EXPECT_EQ(call({"Bearer " + token}), absl::OkStatus());
  EXPECT_EQ(call({"bearer " + token}), absl::OkStatus());
  for (const std::vector<std::string>& headers : std::vector<std::vector<std::string>>{
           {token}, {"Basic " + token}, {"Bearer"}, {"Bearer "}, {"Bearer " + token, "Bearer " + token}, {""}}) {
    EXPECT_TRUE(absl::IsUnauthenticated(call(headers))) << testing::PrintToString(headers);
  }
}

TEST_F(AuthTest, AnotherTenantsRequestDoesNotExist) {
  User owner(guarded.Channel(guarded.token("a", Role::kAdmin, "owner")));
  User other(guarded.Channel(guarded.token("b", Role::kAdmin, "other")));
  const std::string id = owner.Submit(NoopRequest(2)).value();
  const std::string unknown = "0-" + std::string(32, '0');
  const auto attempts = {&User::Get, &User::Watch, &User::Cancel, &User::Retry, &User::Delete};
  for (const auto& attempt : attempts) {
    const absl::Status theirs = (other.*attempt)(id), nobodys = (other.*attempt)(unknown);
    EXPECT_TRUE(absl::IsNotFound(theirs)) << theirs;
    std::string expected = Message(nobodys);
    expected.replace(expected.find(unknown), unknown.size(), id);
    EXPECT_EQ(Message(theirs), expected);  // nothing tells the two apart
  }
  EXPECT_THAT(other.List(), testing::IsEmpty());
  EXPECT_THAT(owner.List(), testing::ElementsAre(id));
  EXPECT_EQ(owner.Get(id), absl::OkStatus());
  EXPECT_EQ(guarded.farm.queue->GetRequest(id)->open, 2u);  // none of it ended anything
  // A colleague of the same tenant sees it.
  User colleague(guarded.Channel(guarded.token("a", Role::kRead, "colleague")));
  EXPECT_EQ(colleague.Get(id), absl::OkStatus());
}

TEST_F(AuthTest, AnotherTenantsBlobDoesNotExist) {
  User owner(guarded.Channel(guarded.token("a", Role::kAdmin, "owner")));
  User other(guarded.Channel(guarded.token("b", Role::kAdmin, "other")));
  const std::string bytes = "a's model";
  const Digest digest = Digest::Of(bytes);
  ASSERT_EQ(owner.Upload(bytes), absl::OkStatus());
  EXPECT_EQ(owner.Download(digest), absl::OkStatus());
  EXPECT_FALSE(owner.Lacks(digest));

  EXPECT_TRUE(absl::IsNotFound(other.Download(digest)));
  EXPECT_TRUE(other.Lacks(digest));
  v1::SubmitRequest request = NoopRequest(1);
  v1::ModelSpec& model = *request.mutable_models(0);
  model.set_kind(v1::SOURCE_KIND_ONNX);
  v1::InputFile& file = *model.add_files();
  file.set_path("model.onnx");
  *file.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
  const absl::Status refused = other.Submit(request).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(Message(refused), HasSubstr(digest.ToString()));
  EXPECT_THAT(other.List(), testing::IsEmpty());

  // The other's own upload of the same bytes is another blob.
  ASSERT_EQ(other.Upload(bytes), absl::OkStatus());
  EXPECT_EQ(other.Submit(request).status(), absl::OkStatus());
}

TEST_F(AuthTest, AnInterruptedUploadIsItsTenantsAlone) {
  const std::string bytes(400'000, 'x');
  const Digest digest = Digest::Of(bytes);
  const auto stub_of = [&](const std::string& tenant) {
    return v1::BlobService::NewStub(guarded.Channel(guarded.token(tenant, Role::kSubmit, "up-" + tenant)));
  };
  const auto owner = stub_of("a"), other = stub_of("b");
  const auto received = [&](v1::BlobService::Stub& stub) {
    grpc::ClientContext context;
    v1::QueryUploadRequest request;
    *request.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    v1::QueryUploadResponse response;
    EXPECT_TRUE(stub.QueryUpload(&context, request, &response).ok());
    return response.received_bytes();
  };
  {
    grpc::ClientContext context;
    v1::UploadResponse response;
    v1::UploadRequest chunk;
    *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    chunk.set_data(bytes.substr(0, 100'000));
    const auto stream = owner->Upload(&context, &response);
    ASSERT_TRUE(stream->Write(chunk));
    const auto arrived = [&] {
      uintmax_t size = 0;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(guarded.farm.store_root()))
        if (entry.is_regular_file()) size += entry.file_size();
      return size;
    };
    while (arrived() < 100'000) std::this_thread::yield();
    context.TryCancel();
    stream->Finish();
  }
  while (received(*owner) == 0) std::this_thread::yield();
  EXPECT_EQ(received(*other), 0u);
}

TEST_F(AuthTest, TenantsShareNeitherKeysNorEqualRequests) {
  User first(guarded.Channel(guarded.token("a", Role::kSubmit, "s1")));
  User second(guarded.Channel(guarded.token("b", Role::kSubmit, "s2")));
  v1::SubmitRequest request = NoopRequest(1);
  request.mutable_models(0)->set_kind(v1::SOURCE_KIND_DUMMY);
  request.mutable_models(0)->set_architecture("lite");
  request.set_idempotency_key("key");
  const std::string mine = first.Submit(request).value();
  EXPECT_EQ(first.Submit(request).value(), mine);
  const std::string theirs = second.Submit(request).value();
  EXPECT_NE(theirs, mine);
  EXPECT_EQ(guarded.farm.queue->GetRequest(theirs)->tenant, "b");
}

TEST_F(AuthTest, ARevokedTokenOpensNothingMore) {
  const std::string token = guarded.token("a", Role::kRead, "r");
  EXPECT_EQ(Ask("/slipway.v1.FleetService/GetQueue", token), absl::OkStatus());
  ASSERT_EQ(RevokeToken(guarded.tokens(), "r"), absl::OkStatus());
  guarded.coordinator->Reload();
  EXPECT_TRUE(absl::IsUnauthenticated(Ask("/slipway.v1.FleetService/GetQueue", token)));
}

TEST_F(AuthTest, ReflectionIsOff) {
  const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_TRUE(absl::IsUnimplemented(Ask(method, guarded.token("a", Role::kAdmin, "m"))));
}

// So that a newer client learns what an older farm does not have.
TEST_F(AuthTest, UnknownMethodsAreUnimplemented) {
  const std::string token = guarded.token("a", Role::kAdmin, "m");
  for (const char* method : {"/slipway.v1.ExportService/Newer", "/slipway.v2.ExportService/Submit"}) {
    EXPECT_TRUE(absl::IsUnimplemented(Ask(method, token))) << method;
    EXPECT_TRUE(absl::IsUnimplemented(slipway::Ask(guarded.Channel(token), method, "\xff\xff").status())) << method;
  }
}

// Without tokens everybody is the sole tenant's admin; whoever sends one all the same is not refused.
TEST_F(AuthTest, WithoutATokensFileNobodyIsAsked) {
  for (const std::string& token : {std::string(), "slw_" + std::string(64, '0')}) {
    const auto channel = OpenChannel(Address::Parse(guarded.farm.address()).value(), {.token = token}).value();
    for (const std::string& method : AllMethods()) {
      const absl::Status status = slipway::Ask(channel, method, "").status();
      EXPECT_FALSE(absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) << method << ": " << status;
    }
  }
}

TEST_F(AuthTest, AddressesOfOthersNeedCredentials) {
  const auto start = [&](CoordinatorOptions options) {
    return Coordinator::Start(options, *guarded.farm.queue, *guarded.farm.store).status();
  };
  // A token alone does not open the network to plain text.
  const absl::Status plain = start({.listen = {"0.0.0.0:0"}, .tokens = guarded.tokens()});
  EXPECT_TRUE(absl::IsInvalidArgument(plain)) << plain;
  EXPECT_THAT(Message(plain), HasSubstr("nothing on it would be encrypted"));
  const absl::Status no_file = start({.listen = {"127.0.0.1:0"}, .tokens = guarded.tokens() + ".none"});
  EXPECT_TRUE(absl::IsNotFound(no_file)) << no_file;
  EXPECT_EQ(KindOf(no_file), ErrorKind::kUsage);
}

}  // namespace
}  // namespace slipway
