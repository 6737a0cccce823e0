// What --store takes.
#include "common/store/open_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/store/layout.h"
#include "common/store/s3/client.h"
#include "tests/support/s3_server.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OpenStoreTest : public ::testing::Test {
 protected:
  OpenStoreTest() {
    std::ofstream(credentials()) << "[default]\naws_access_key_id = " << S3Server::credentials().access_key
                                 << "\naws_secret_access_key = " << S3Server::credentials().secret_key
                                 << "\naws_session_token = " << S3Server::credentials().session_token << "\n";
  }
  std::filesystem::path credentials() const { return folder_.path() / "credentials"; }
  TemporaryFolder folder_ = TemporaryFolder::Create("/tmp", "slipway-store-test-").value();
};

TEST_F(OpenStoreTest, APathAndAFileUrlAreTheSameFolder) {
  std::string path = folder_.path() / "store";
  Digest digest = WriteBlob(**OpenStore(path, {}), "default", "abc").value();
  EXPECT_EQ(ReadBlob(**OpenStore("file://" + path, {}), "default", digest).value(), "abc");
}

TEST_F(OpenStoreTest, ABucketByItsUrl) {
  S3Server server;
  OpenStoreOptions options{.credentials = credentials(), .cache = folder_.path() / "cache"};
  Digest digest = WriteBlob(*OpenStore(server.url(), options).value(), "default", "abc").value();
  // The prefix is the URL's, and so the place that these options name.
  std::unique_ptr<Store> same = OpenS3Store(server.options(), S3Server::credentials()).value();
  EXPECT_EQ(ReadBlob(*same, "default", digest).value(), "abc");
  // Percent-encoded values are the same URL; copies lie in the cache.
  std::string encoded = server.url();
  encoded.replace(encoded.find("http://"), 7, "http%3A%2f%2f");
  std::unique_ptr<Store> store = OpenStore(encoded, options).value();
  EXPECT_TRUE(store->OpenLocal("default", digest).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "cache/t/default"));
}

// Where blobs may go soon, a use must make them younger soon: the farm's garbage is not to overtake an upload that found its blob there.
TEST_F(OpenStoreTest, ABucketsBlobsInUseAreKeptYoungerThanGarbage) {
  S3Server server;
  std::unique_ptr<Store> store =
      OpenStore(server.url(), {.credentials = credentials(), .garbage_after = absl::Milliseconds(20)}).value();
  EXPECT_EQ(store->Pin().value()->lasts(), absl::Milliseconds(10)) << "from any use on";
  const Digest digest = WriteBlob(*store, "default", "abc").value();
  s3::Client client(server.options(), S3Server::credentials());
  const auto modified = [&] { return client.Head("farm/" + BlobKey("default", digest))->modified; };
  const absl::Time written = modified();
  for (const absl::Time deadline = absl::Now() + absl::Seconds(20); modified() <= written;) {  // HTTP has whole seconds
    ASSERT_LT(absl::Now(), deadline);
    EXPECT_TRUE(store->FindMissing("default", {&digest, 1})->empty());
  }
  EXPECT_EQ(ReadBlob(*store, "default", digest).value(), "abc");
}

TEST_F(OpenStoreTest, ARefusalComesAtOnceAndSaysWhatToDo) {
  S3Server server;
  std::string url = server.url();
  url.replace(url.find("slipway-test"), 12, "no-such-bucket");
  absl::Status status = OpenStore(url, {.credentials = credentials()}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(Message(status), HasSubstr("create the bucket"));
  std::ofstream(credentials()) << "[default]\naws_access_key_id = wrong\naws_secret_access_key = secret-too\n";
  status = OpenStore(server.url(), {.credentials = credentials()}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(Message(status), Not(HasSubstr("secret-too")));
}

TEST_F(OpenStoreTest, NonsenseIsAUsageError) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "must be a folder"},
      {"file://relative", "must be a folder"},
      {"gs://bucket", "must be a folder"},
      {"s3://", "names no bucket"},
      {"s3://bucket?zone=x", "none of endpoint, region"},
      {"s3://bucket?endpoint=", "endpoint has no value"},
      {"s3://bucket?endpoint=http%3", "endpoint has no value"},
      {"s3://bucket?endpoint=ftp://host", "must begin with https://"},
      {"s3://KEY:hidden@bucket", "credentials do not belong into the URL"},
      {"s3://bucket?endpoint=https://KEY:hidden@host", "credentials do not belong"},
  };
  for (auto [url, message] : cases) {
    absl::Status status = OpenStore(url, {.credentials = credentials()}).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << url << ": " << status;
    EXPECT_THAT(Message(status), HasSubstr(message)) << url;
    EXPECT_THAT(Message(status), Not(HasSubstr("hidden"))) << url;
  }
  EXPECT_EQ(KindOf(OpenStore("s3://bucket", {.credentials = folder_.path() / "none"}).status()), ErrorKind::kUsage);
}

}  // namespace
}  // namespace slipway
