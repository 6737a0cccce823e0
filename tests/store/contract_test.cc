// What every store promises, asked of each kind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "common/base/error.h"
#include "common/store/store.h"
#include "tests/store/places.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class StoreContractTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Place> place_ = MakePlace(GetParam());
  std::unique_ptr<Store> store_ = place_->Open();
};

// Larger than a part and than several reads.
std::string Large() {
  std::string bytes((11 << 20) + 17, '\0');
  uint32_t state = 1;
  for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

std::string ReadFd(int fd) {
  std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ReadFile(path).value();
}

TEST_P(StoreContractTest, BlobsComeBackWhole) {
  for (const std::string& bytes : {std::string("abc"), std::string(), std::string("<Error>no</Error>"), Large()}) {
    Digest digest = WriteBlob(*store_, "default", bytes).value();
    EXPECT_EQ(digest, Digest::Of(bytes));
    EXPECT_TRUE(ReadBlob(*store_, "default", digest).value() == bytes);
    EXPECT_TRUE(ReadBlob(*place_->Open(), "default", digest).value() == bytes);
    absl::StatusOr<UniqueFd> local = store_->OpenLocal("default", digest);
    ASSERT_TRUE(local.ok()) << local.status();
    EXPECT_TRUE(ReadFd(local->get()) == bytes);
  }
}

TEST_P(StoreContractTest, ReadsStartAtAnyOffset) {
  std::string bytes = Large();
  Digest digest = WriteBlob(*store_, "default", bytes).value();
  std::string tail(100, '\0');
  std::unique_ptr<BlobReader> reader = store_->Open("default", digest, bytes.size() - 60).value();
  EXPECT_EQ(reader->Read(std::as_writable_bytes(std::span(tail))).value(), 60u);
  EXPECT_EQ(tail.substr(0, 60), bytes.substr(bytes.size() - 60));
  EXPECT_EQ(reader->Read(std::as_writable_bytes(std::span(tail))).value(), 0u);
  EXPECT_EQ(
      store_->Open("default", digest, bytes.size()).value()->Read(std::as_writable_bytes(std::span(tail))).value(), 0u);
  EXPECT_EQ(store_->Open("default", digest, bytes.size() + 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreContractTest, MissingOnesAreNamedOnceAndInOrder) {
  Digest a = Digest::Of("a"), b = WriteBlob(*store_, "default", "b").value(), c = Digest::Of("c");
  EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{c, b, a, c, a}).value(), ElementsAre(c, a));
  EXPECT_EQ(store_->Open("default", a, 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->OpenLocal("default", a).status().code(), absl::StatusCode::kNotFound);
  std::vector<Digest> many;
  for (int i = 0; i < 100; ++i) many.push_back(Digest::Of(std::to_string(i)));
  many[50] = b;
  std::vector<Digest> rest = many;
  rest.erase(rest.begin() + 50);
  EXPECT_EQ(store_->FindMissing("default", many).value(), rest);
}

TEST_P(StoreContractTest, BytesThatAreNotTheDigestsAreRefusedAndNothingIsStored) {
  std::string large = Large(), other = large;
  other.back() ^= 1;
  for (const auto& [right, wrong] : {std::pair<std::string, std::string>{"right", "wrong"}, {large, other}}) {
    Digest digest = Digest::Of(right);
    std::unique_ptr<BlobWriter> writer = store_->Create("default", digest).value();
    EXPECT_TRUE(writer->Write(Bytes(wrong)).ok());
    EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kInvalidArgument);
    writer = store_->Create("default", digest).value();
    EXPECT_TRUE(writer->Write(Bytes(right).first(right.size() - 1)).ok());
    EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kInvalidArgument);
    writer = store_->Create("default", digest).value();
    EXPECT_EQ(writer->Write(Bytes(right + "!")).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kInvalidArgument);
    writer = store_->Create("default", digest).value();
    EXPECT_TRUE(writer->Write(Bytes(right)).ok());
    writer.reset();  // dropped without Commit
    EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  }
  EXPECT_THAT(place_->Names(), IsEmpty());
}

TEST_P(StoreContractTest, ADamagedBlobIsDroppedWhenOpened) {
  Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  place_->Overwrite("default", digest, "same bytes");
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  EXPECT_TRUE(WriteBlob(*store_, "default", "some bytes").ok());
  EXPECT_EQ(ReadBlob(*store_, "default", digest).value(), "some bytes");
}

TEST_P(StoreContractTest, ADamagedBlobIsDroppedWhenRead) {
  Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  place_->Overwrite("default", digest, "same bytes");
  EXPECT_EQ(ReadBlob(*store_, "default", digest).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadBlob(*store_, "default", digest).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(StoreContractTest, ATruncatedBlobIsMissing) {
  for (std::string left : {"some", ""}) {
    Digest digest = WriteBlob(*store_, "default", "some bytes").value();
    place_->Overwrite("default", digest, left);
    EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
    EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST_P(StoreContractTest, TenantsDoNotSeeEachOther) {
  Digest digest = WriteBlob(*store_, "alice", "secret").value();
  EXPECT_THAT(store_->FindMissing("bob", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  EXPECT_EQ(store_->Open("bob", digest, 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->OpenLocal("bob", digest).status().code(), absl::StatusCode::kNotFound);
  for (std::string tenant : {std::string(""), std::string(".."), std::string("a/b"), std::string("A"),
                             std::string("a b"), std::string("../alice"), std::string(65, 'a')}) {
    EXPECT_EQ(store_->FindMissing(tenant, {}).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->Open(tenant, digest, 0).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->OpenLocal(tenant, digest).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->Create(tenant, digest).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->PutFile(tenant, "/etc/hostname").status().code(), absl::StatusCode::kInvalidArgument) << tenant;
  }
}

TEST_P(StoreContractTest, WritersOfOneBlobAllSucceed) {
  std::string bytes(300'000, 'x');
  std::unique_ptr<Store> others = place_->Open();  // as another process would
  std::vector<std::thread> writers;
  for (int i = 0; i < 6; ++i) {
    writers.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        Store& store = i % 2 == 0 ? *store_ : *others;
        absl::StatusOr<Digest> digest = WriteBlob(store, "default", bytes);
        ASSERT_TRUE(digest.ok()) << digest.status();
        if (!place_->ReplacesAtOnce()) continue;
        EXPECT_EQ(ReadBlob(store, "default", *digest).value(), bytes);
        EXPECT_TRUE(store.OpenLocal("default", *digest).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(ReadBlob(*store_, "default", Digest::Of(bytes)).value(), bytes);
  EXPECT_EQ(place_->Names().size(), 1u);
}

TEST_P(StoreContractTest, AFileIsStored) {
  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-store-test-").value();
  std::string bytes = Large();
  std::ofstream(folder.path() / "file", std::ios::binary) << bytes;
  Digest digest = store_->PutFile("default", folder.path() / "file").value();
  EXPECT_EQ(digest, Digest::Of(bytes));
  EXPECT_TRUE(ReadBlob(*store_, "default", digest).value() == bytes);
  EXPECT_EQ(store_->PutFile("default", folder.path() / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(StoreContractTest, ActionsAreKeptByTheirKey) {
  Digest key = Digest::Of("what was asked"), made = Digest::Of("what came of it"), other = Digest::Of("and again");
  EXPECT_EQ(store_->FindAction("default", key).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(store_->PutAction("default", key, made).ok());
  EXPECT_EQ(place_->Open()->FindAction("default", key).value(), made);
  ASSERT_TRUE(store_->PutAction("default", key, other).ok());
  EXPECT_EQ(store_->FindAction("default", key).value(), other);
  EXPECT_EQ(store_->FindAction("alice", key).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->FindAction("../x", key).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->PutAction("../x", key, made).code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StoreContractTest, ::testing::ValuesIn(kPlaces),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace slipway
