// BlobService over real gRPC and a real store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "common/base/log.h"
#include "common/rpc/digest_message.h"
#include "common/rpc/status.h"
#include "common/store/layout.h"
#include "coordinator/service/interrupted_uploads.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "tests/support/ask.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Bytes that no two offsets share by chance.
std::string RandomBytes(size_t size) {
  Random random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

v1::UploadRequest Chunk(std::string_view data, uint64_t offset) {
  v1::UploadRequest chunk;
  chunk.set_data(std::string(data));
  chunk.set_offset(offset);
  return chunk;
}

// A store whose disk is full.
class FullStore final : public Store {
 public:
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view, std::span<const Digest> wanted) override {
    return std::vector<Digest>(wanted.begin(), wanted.end());
  }
  absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view, const Digest&, uint64_t) override {
    return Full();
  }
  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view, const Digest&) override { return Full(); }
  absl::StatusOr<UniqueFd> OpenLocal(std::string_view, const Digest&) override { return Full(); }
  absl::StatusOr<Digest> PutFile(std::string_view, const std::filesystem::path&) override { return Full(); }

 private:
  static absl::Status Full() { return StoreErrno(ENOSPC, "write /srv/secret/t/default/tmp/1f"); }
};

class BlobServiceTest : public testing::Test {
 protected:
  BlobServiceTest() : blobs(v1::BlobService::NewStub(farm.OpenChannel())) {}

  absl::StatusOr<v1::UploadResponse> Upload(const std::vector<v1::UploadRequest>& chunks) {
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto stream = blobs->Upload(&context, &response);
    for (const v1::UploadRequest& chunk : chunks) {
      if (!stream->Write(chunk)) break;
    }
    stream->WritesDone();
    RETURN_IF_ERROR(FromGrpc(stream->Finish(), context));
    return response;
  }
  // In chunks of `step` bytes, named by `digest`.
  absl::StatusOr<v1::UploadResponse> UploadAs(const Digest& digest, std::string_view bytes, size_t step = 100'000) {
    std::vector<v1::UploadRequest> chunks;
    for (size_t offset = 0; offset == 0 || offset < bytes.size(); offset += step)
      chunks.push_back(Chunk(bytes.substr(offset, step), offset));
    *chunks[0].mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    return Upload(chunks);
  }
  absl::StatusOr<std::string> Download(const Digest& digest, uint64_t offset = 0) {
    grpc::ClientContext context;
    v1::DownloadRequest request;
    *request.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    request.set_offset(offset);
    const auto stream = blobs->Download(&context, request);
    std::string bytes;
    for (v1::DownloadResponse chunk; stream->Read(&chunk);) bytes += chunk.data();
    RETURN_IF_ERROR(FromGrpc(stream->Finish(), context));
    return bytes;
  }
  absl::StatusOr<v1::FindMissingResponse> FindMissing(const v1::FindMissingRequest& request) {
    grpc::ClientContext context;
    v1::FindMissingResponse response;
    RETURN_IF_ERROR(FromGrpc(blobs->FindMissing(&context, request, &response), context));
    return response;
  }
  bool Has(const Digest& digest) { return farm.store->FindMissing(kTenant, std::span(&digest, 1)).value().empty(); }
  int FilesInStore() {
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(farm.store_root()))
      files += entry.is_regular_file();
    return files;
  }

  TestFarm farm;
  std::unique_ptr<v1::BlobService::Stub> blobs;
};

TEST_F(BlobServiceTest, WhatWentUpComesDown) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{100'000}, size_t{3'000'001}}) {
    SCOPED_TRACE(size);
    const std::string bytes = RandomBytes(size);
    const Digest digest = Digest::Of(bytes);
    const v1::UploadResponse response = UploadAs(digest, bytes).value();
    EXPECT_EQ(response.committed_bytes(), size);
    EXPECT_FALSE(response.existed());
    EXPECT_TRUE(Has(digest));
    EXPECT_EQ(Download(digest).value(), bytes);
    EXPECT_EQ(Download(digest, size / 3).value(), bytes.substr(size / 3));
    EXPECT_EQ(Download(digest, size).value(), "");
  }
}

TEST_F(BlobServiceTest, WrongBytesStoreNothing) {
  const std::string bytes = RandomBytes(500'000);
  std::string damaged = bytes;
  damaged[321'000] ^= 1;
  const absl::Status status = UploadAs(Digest::Of(bytes), damaged).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_FALSE(Has(Digest::Of(bytes)));
  EXPECT_FALSE(Has(Digest::Of(damaged)));
  EXPECT_EQ(FilesInStore(), 0);
}

TEST_F(BlobServiceTest, MalformedUploadsStoreNothing) {
  const std::string bytes = RandomBytes(1000);
  const Digest digest = Digest::Of(bytes);
  const auto first = [&](std::string_view data, uint64_t offset) {
    v1::UploadRequest chunk = Chunk(data, offset);
    *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    return chunk;
  };
  v1::UploadRequest bad_digest = first(bytes, 0);
  bad_digest.mutable_digest()->set_sha256(digest.Hex() + "0");
  const std::string_view all = bytes;
  const std::pair<const char*, std::vector<v1::UploadRequest>> cases[] = {
      {"nothing", {}},
      {"no digest", {Chunk(all, 0)}},
      {"malformed digest", {bad_digest}},
      {"too short", {first(all.substr(0, 999), 0)}},
      {"too long", {first(all, 0), Chunk("x", 1000)}},
      {"a gap", {first(all.substr(0, 500), 0), Chunk(all.substr(501), 501)}},
      {"an overlap", {first(all.substr(0, 500), 0), Chunk(all.substr(499), 499)}},
      {"begins in the middle", {first(all.substr(500), 500)}},
      {"two digests", {first(all.substr(0, 500), 0), first(all.substr(500), 500)}},
  };
  for (const auto& [name, chunks] : cases) {
    const absl::Status status = Upload(chunks).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name << ": " << status;
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << name;
    EXPECT_FALSE(Has(digest)) << name;
  }
  const std::string large = RandomBytes(kMaxChunkBytes + 1);
  EXPECT_TRUE(absl::IsInvalidArgument(UploadAs(Digest::Of(large), large, large.size()).status()));
  EXPECT_EQ(FilesInStore(), 0);
}

// Not taken for the upload's end.
TEST_F(BlobServiceTest, AMessageThatIsNoneIsSaidToBeNone) {
  const absl::Status first = Ask(farm.OpenChannel(), "/slipway.v1.BlobService/Upload", "\xff\xff").status();
  EXPECT_TRUE(absl::IsInvalidArgument(first)) << first;
  EXPECT_EQ(KindOf(first), ErrorKind::kUsage);
  EXPECT_THAT(Message(first), HasSubstr("no message that BlobService/Upload takes"));
  const absl::Status none = Upload({}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(none)) << none;
  EXPECT_THAT(Message(none), HasSubstr("ended before its first message"));
}

TEST_F(BlobServiceTest, ABrokenUploadStoresNothing) {
  const std::string bytes = RandomBytes(2000);
  const Digest digest = Digest::Of(bytes);
  {
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto stream = blobs->Upload(&context, &response);
    v1::UploadRequest chunk = Chunk(std::string_view(bytes).substr(0, 1000), 0);
    *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    ASSERT_TRUE(stream->Write(chunk));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  farm.StopCoordinator();  // every call has ended
  EXPECT_FALSE(Has(digest));
  EXPECT_EQ(FilesInStore(), 0);
}

TEST_F(BlobServiceTest, AnUploadGoesOnWhereItBrokeOff) {
  const std::string bytes = RandomBytes(3'000'000);
  const Digest digest = Digest::Of(bytes);
  const auto received = [&] {
    grpc::ClientContext context;
    v1::QueryUploadRequest request;
    *request.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
    v1::QueryUploadResponse response;
    EXPECT_TRUE(blobs->QueryUpload(&context, request, &response).ok());
    return response.received_bytes();
  };
  const auto arrived = [&] {
    uintmax_t size = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(farm.store_root()))
      if (entry.is_regular_file()) size += entry.file_size();
    return size;
  };
  EXPECT_EQ(received(), 0u);
  {
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto stream = blobs->Upload(&context, &response);
    for (size_t offset = 0; offset < 2'000'000; offset += 500'000) {
      v1::UploadRequest chunk = Chunk(std::string_view(bytes).substr(offset, 500'000), offset);
      if (offset == 0) *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
      ASSERT_TRUE(stream->Write(chunk));
    }
    while (arrived() < 2'000'000) std::this_thread::yield();
    context.TryCancel();
    stream->Finish();
  }
  while (received() == 0) std::this_thread::yield();
  EXPECT_EQ(received(), 2'000'000u);
  EXPECT_FALSE(Has(digest));
  v1::UploadRequest rest = Chunk(std::string_view(bytes).substr(2'000'000), 2'000'000);
  *rest.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
  EXPECT_EQ(Upload({rest})->committed_bytes(), bytes.size());
  EXPECT_EQ(Download(digest).value(), bytes);
  EXPECT_EQ(received(), 0u);
}

TEST(InterruptedUploadsTest, AreBoundedInNumberAndTime) {
  InterruptedUploads uploads;
  const absl::Time now = absl::Now();
  const auto digest = [](size_t i) { return Digest::Of(std::to_string(i)); };
  for (size_t i = 0; i <= InterruptedUploads::kMost; ++i) uploads.Keep("default", digest(i), {nullptr, i + 1}, now);
  EXPECT_EQ(uploads.Received("default", digest(0), now), 0u);
  EXPECT_EQ(uploads.Received("default", digest(1), now), 2u);
  EXPECT_EQ(uploads.Received("alice", digest(1), now), 0u);
  uploads.Keep("default", digest(1), {nullptr, 77}, now + absl::Seconds(1));
  EXPECT_EQ(uploads.Take("default", digest(1), now).received, 77u);
  EXPECT_EQ(uploads.Take("default", digest(1), now).received, 0u);
  EXPECT_EQ(uploads.Received("default", digest(2), now + InterruptedUploads::kKept), 0u);
}

TEST_F(BlobServiceTest, WhatIsThereEndsAnUploadEarly) {
  const std::string bytes = RandomBytes(1000);
  const Digest digest = WriteBlob(*farm.store, kTenant, bytes).value();
  v1::UploadRequest chunk;  // without a byte of data
  *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
  const v1::UploadResponse response = Upload({chunk}).value();
  EXPECT_TRUE(response.existed());
  EXPECT_EQ(response.committed_bytes(), 1000u);
}

TEST_F(BlobServiceTest, DamagedBytesAreDataLoss) {
  const std::string bytes = RandomBytes(700'000);
  const Digest digest = WriteBlob(*farm.store, kTenant, bytes).value();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(farm.store_root())) {
    if (!entry.is_regular_file() || entry.file_size() != bytes.size()) continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(600'000);
    file.put(static_cast<char>(bytes[600'000] ^ 1));
  }
  InitLogging("coordinator_test");
  ::testing::internal::CaptureStderr();
  const absl::Status status = Download(digest).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::IsNotFound(Download(digest).status()));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("a call failed method=BlobService/Download tenant=default code=DATA_LOSS"));
  EXPECT_THAT(log, HasSubstr(digest.Hex()));
  EXPECT_THAT(log, Not(HasSubstr("NOT_FOUND"))) << "which is no fault of the farm";
}

TEST_F(BlobServiceTest, RefusesWhatItCannotSend) {
  const Digest absent = Digest::Of(std::string_view("absent"));
  EXPECT_TRUE(absl::IsNotFound(Download(absent).status()));
  const Digest there = WriteBlob(*farm.store, kTenant, "there").value();
  EXPECT_TRUE(absl::IsInvalidArgument(Download(there, 6).status()));
  const Digest other = WriteBlob(*farm.store, "other", "another tenant's").value();
  EXPECT_TRUE(absl::IsNotFound(Download(other).status()));

  grpc::ClientContext context;
  v1::DownloadRequest request;
  request.mutable_digest()->set_sha256("../../etc/passwd");
  const auto stream = blobs->Download(&context, request);
  v1::DownloadResponse chunk;
  EXPECT_FALSE(stream->Read(&chunk));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

// Whoever sits at the farm's own machine, and its log, see the file.
TEST_F(BlobServiceTest, AFullStoreShowsOtherMachinesNoPaths) {
  FullStore full;
  const std::string unix_socket = "unix:" + (farm.folder() / "full.sock").string();
  const auto coordinator = Coordinator::Start({.listen = {"127.0.0.1:0", unix_socket}}, *farm.queue, full).value();
  const auto upload = [&](const std::string& address) {
    blobs = v1::BlobService::NewStub(OpenChannel(Address::Parse(address).value()));
    return UploadAs(Digest::Of(std::string_view("bytes")), "bytes").status();
  };
  InitLogging("coordinator_test");
  testing::internal::CaptureStderr();
  const absl::Status far = upload(coordinator->addresses().at(0));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::IsResourceExhausted(far)) << far;
  EXPECT_EQ(KindOf(far), ErrorKind::kMachine);
  EXPECT_THAT(Message(far),
              AllOf(HasSubstr("the farm's store is full: No space left on device"), Not(HasSubstr("/srv"))));
  EXPECT_THAT(log, HasSubstr("/srv/secret/t/default"));
  EXPECT_THAT(Message(upload(unix_socket)), HasSubstr("/srv/secret/t/default"));
}

TEST_F(BlobServiceTest, FindMissingNamesWhatIsAbsent) {
  const Digest there = WriteBlob(*farm.store, kTenant, "there").value();
  const Digest other = WriteBlob(*farm.store, "other", "another tenant's").value();
  const Digest absent = Digest::Of(std::string_view("absent"));
  v1::FindMissingRequest request;
  for (const Digest& digest : {absent, there, other, absent})
    *request.add_digests() = ToDigestMessage<v1::Digest>(digest);
  const v1::FindMissingResponse response = FindMissing(request).value();
  ASSERT_EQ(response.missing_size(), 2);
  EXPECT_EQ(response.missing(0).sha256(), absent.Hex());
  EXPECT_EQ(response.missing(1).sha256(), other.Hex());

  request.mutable_digests(1)->set_sha256("THERE");
  const absl::Status malformed = FindMissing(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(malformed));
  EXPECT_TRUE(Message(malformed).starts_with("digests[1]: ")) << malformed;
  *request.mutable_digests(1) = request.digests(0);
  while (request.digests_size() <= 10'000) *request.add_digests() = request.digests(0);
  EXPECT_TRUE(absl::IsInvalidArgument(FindMissing(request).status()));
}

}  // namespace
}  // namespace slipway
