// What only a remote store can suffer: bad connections, refusals, killed uploads.
#include "common/store/s3/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/store/down.h"
#include "common/store/layout.h"
#include "common/store/s3/client.h"
#include "tests/store/faulty_proxy.h"
#include "tests/support/s3_server.h"

namespace slipway {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class S3StoreTest : public ::testing::Test {
 protected:
  S3Options Proxied() const {
    S3Options options = server_.options();
    options.endpoint = "http://127.0.0.1:" + std::to_string(proxy_.port());
    options.timeout = absl::Milliseconds(300);
    return options;
  }
  static std::unique_ptr<Store> Open(const S3Options& options) {
    return OpenS3Store(options, S3Server::credentials()).value();
  }
  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    EXPECT_TRUE(client_
                    .List("",
                          [&](const s3::Object& object) {
                            keys.push_back(object.key);
                            return absl::OkStatus();
                          })
                    .ok());
    return keys;
  }

  // What a collection a day later takes, when nothing is named any more.
  static GarbageReport CollectUnused(Store& store) {
    EXPECT_TRUE(store.Bind("farm").ok());
    return store
        .CollectGarbage({.farm = "farm",
                         .referenced = [](auto, const Digest&) { return false; },
                         .now = absl::Now() + absl::Hours(25)})
        .value();
  }

  S3Server server_;
  FaultyProxy proxy_{server_.port()};
  s3::Client client_{server_.options(), S3Server::credentials()};
};

TEST_F(S3StoreTest, KeysAreThoseOfALocalStoreBelowThePrefix) {
  // SHA-256 of "abc" as FIPS 180-2 gives it.
  ASSERT_TRUE(WriteBlob(*Open(server_.options()), "alice", "abc").ok());
  EXPECT_THAT(Keys(),
              ElementsAre("farm/t/alice/ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad-3"));
}

TEST_F(S3StoreTest, EveryFaultIsOutlivedByTryingAgain) {
  std::string bytes(1 << 20, 'x');
  for (Fault fault : {Fault::kCut, Fault::kBusy, Fault::kError, Fault::kTruncate, Fault::kHang, Fault::kShorten}) {
    int code = static_cast<int>(fault);
    bytes[0] = static_cast<char>('a' + code);
    Digest digest = Digest::Of(bytes);
    proxy_.Set({fault, fault});
    absl::StatusOr<Digest> written = WriteBlob(*Open(Proxied()), "default", bytes);
    EXPECT_TRUE(written.ok()) << code << written.status();
    int before = proxy_.connections();
    proxy_.Set({fault, fault});
    absl::StatusOr<std::string> read = ReadBlob(*Open(Proxied()), "default", digest);
    ASSERT_TRUE(read.ok()) << code << read.status();
    EXPECT_TRUE(*read == bytes) << code;
    EXPECT_GE(proxy_.connections() - before, 3) << code;
  }
}

TEST_F(S3StoreTest, AFaultThatStaysIsTypedAndStoresNothing) {
  struct {
    Fault fault;
    absl::StatusCode code;
  } cases[] = {{Fault::kCut, absl::StatusCode::kUnavailable},
               {Fault::kBusy, absl::StatusCode::kResourceExhausted},
               {Fault::kError, absl::StatusCode::kUnavailable},
               {Fault::kHang, absl::StatusCode::kUnavailable}};
  for (auto [fault, code] : cases) {
    proxy_.Set({}, fault);
    S3Options options = Proxied();
    options.attempts = 3;
    options.timeout = absl::Milliseconds(100);
    int before = proxy_.connections();
    absl::Status status = WriteBlob(*Open(options), "default", "bytes").status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(KindOf(status), ErrorKind::kMachine);
    EXPECT_TRUE(IsStoreDown(status)) << status;
    EXPECT_EQ(proxy_.connections() - before, 3);
  }
  EXPECT_THAT(Keys(), IsEmpty());
}

// What a network or a middlebox does to answers says nothing of what is stored.
TEST_F(S3StoreTest, AnswersThatAreDamagedOnTheirWayCostNoBlob) {
  const std::string small = "some bytes", large(3 << 20, 'x');  // the second is read in parts
  for (const std::string& bytes : {small, large}) {
    const Digest digest = WriteBlob(*Open(server_.options()), "default", bytes).value();
    for (Fault fault : {Fault::kDamage, Fault::kShorten}) {
      proxy_.Set({}, fault);
      EXPECT_EQ(ReadBlob(*Open(Proxied()), "default", digest).status().code(), absl::StatusCode::kUnavailable);
    }
    // Of a blob in parts the first may have been handed out before the damage shows.
    proxy_.Set({Fault::kDamage});
    const absl::StatusOr<std::string> read = ReadBlob(*Open(Proxied()), "default", digest);
    EXPECT_TRUE(read.ok() ? *read == bytes : absl::IsUnavailable(read.status())) << read.status();
    EXPECT_TRUE(ReadBlob(*Open(Proxied()), "default", digest).value() == bytes);
  }
}

TEST_F(S3StoreTest, ADamagedBlobOfSeveralPartsIsDroppedWhenRead) {
  std::string bytes(3 << 20, 'x');
  const Digest digest = WriteBlob(*Open(server_.options()), "default", bytes).value();
  bytes.back() = 'y';
  ASSERT_TRUE(client_.Put("farm/" + BlobKey("default", digest), bytes).ok());
  EXPECT_EQ(ReadBlob(*Open(server_.options()), "default", digest).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(S3StoreTest, RefusalsSayWhatToDo) {
  s3::Credentials wrong = S3Server::credentials();
  wrong.secret_key = "not-the-secret";
  absl::Status status = WriteBlob(*OpenS3Store(server_.options(), wrong).value(), "default", "bytes").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_EQ(Message(status).find("not-the-secret"), std::string::npos);
  EXPECT_TRUE(IsStoreDown(status)) << status;
  S3Options elsewhere = server_.options();
  elsewhere.bucket = "no-such-bucket";
  status = Open(elsewhere)->Bind("farm");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(Message(status), HasSubstr("create the bucket"));
  EXPECT_TRUE(IsStoreDown(status)) << status;
  status = Open(server_.options())->OpenLocal("default", Digest::Of("never stored")).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_FALSE(IsStoreDown(status)) << status;
}

TEST_F(S3StoreTest, AnUploadKilledInTheMiddleLeavesNothingVisible) {
  std::string bytes(12 << 20, 'x');
  Digest digest = Digest::Of(bytes);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    std::unique_ptr<Store> store = Open(server_.options());
    std::unique_ptr<BlobWriter> writer = store->Create("default", digest).value();
    bool sent = writer->Write(std::as_bytes(std::span(bytes))).ok();
    (void)!::write(ready[1], sent ? "y" : "n", 1);
    ::pause();
  }
  char sent = 0;
  ASSERT_EQ(::read(ready[0], &sent, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_EQ(sent, 'y');
  std::unique_ptr<Store> store = Open(server_.options());
  EXPECT_THAT(store->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_EQ(client_.ListUploads("").value().size(), 1u);
  EXPECT_EQ(CollectUnused(*store).abandoned, 1u);
  EXPECT_THAT(client_.ListUploads("").value(), IsEmpty());
}

TEST_F(S3StoreTest, KeysThatNeedEncodingAreSignedAsTheyAreSent) {
  S3Options options = server_.options();
  options.prefix = "two words/a+b=c&d/\u00fc(~'*!)/";
  std::unique_ptr<Store> store = Open(options);
  const std::string large(11 << 20, 'x');  // in parts
  for (const std::string& bytes : {std::string("abc"), large}) {
    absl::StatusOr<Digest> digest = WriteBlob(*store, "default", bytes);
    ASSERT_TRUE(digest.ok()) << digest.status();
    EXPECT_TRUE(ReadBlob(*store, "default", *digest).value() == bytes);
  }
  EXPECT_THAT(Keys(), Each(StartsWith(options.prefix + "t/default/")));
  EXPECT_EQ(CollectUnused(*store).removed, 2u);
}

// The copy onto itself must keep the bytes.
TEST_F(S3StoreTest, AUseMakesAnOldObjectYoungAgain) {
  const std::string large(11 << 20, 'x');
  std::vector<Digest> digests;
  for (const std::string& bytes : {std::string("abc"), large})
    digests.push_back(WriteBlob(*Open(server_.options()), "default", bytes).value());
  S3Options options = server_.options();
  options.touch_after = absl::ZeroDuration() - absl::Hours(1);  // everything is old
  std::unique_ptr<Store> store = Open(options);
  for (const Digest& digest : digests) {
    const std::string key = options.prefix + BlobKey("default", digest);
    const absl::Time before = client_.Head(key).value().modified;
    absl::Time after = before;
    // HTTP's times are whole seconds.
    for (const absl::Time end = absl::Now() + absl::Seconds(30); after == before && absl::Now() < end;) {
      EXPECT_THAT(store->FindMissing("default", std::vector<Digest>{digest}).value(), IsEmpty());
      after = client_.Head(key).value().modified;
    }
    EXPECT_GT(after, before);
    EXPECT_EQ(Digest::Of(ReadBlob(*Open(server_.options()), "default", digest).value()), digest);
  }
}

TEST_F(S3StoreTest, ListsEveryPage) {
  constexpr int kObjects = 1003;  // a page has at most 1000
  std::vector<std::thread> writers;
  for (int first = 0; first < 8; ++first) {
    writers.emplace_back([&, first] {
      for (int i = first; i < kObjects; i += 8) EXPECT_TRUE(client_.Put(fmt::format("many/{}", i), "x").ok());
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::vector<std::string> keys = Keys();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), size_t{kObjects});
  EXPECT_EQ(keys.size(), size_t{kObjects});
}

TEST(S3OptionsTest, NonsenseIsRefusedAsUsage) {
  for (S3Options options : {S3Options{.bucket = ""}, S3Options{.endpoint = "ftp://x", .bucket = "b"},
                            S3Options{.endpoint = "http://key:secret@x", .bucket = "b"},
                            S3Options{.endpoint = "http://x?a", .bucket = "b"}})
    EXPECT_EQ(KindOf(OpenS3Store(options, s3::Credentials()).status()), ErrorKind::kUsage) << options.endpoint;
}

}  // namespace
}  // namespace slipway
