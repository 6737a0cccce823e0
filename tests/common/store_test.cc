#include "common/store/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "common/base/error.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class StoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> OpenStore(bool ephemeral = false) {
    return OpenLocalStore({.root = root_, .ephemeral = ephemeral}).value();
  }
  fs::path BlobPath(const Digest& digest, const std::string& tenant = "default") const {
    return root_ / "t" / tenant / digest.Hex().substr(0, 2) / (digest.Hex() + "-" + std::to_string(digest.bytes));
  }
  // Every regular file of the store.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_regular_file()) files.push_back(entry.path().filename());
    }
    return files;
  }
  // Other bytes of the same length, at another time (the file system's clock is coarse).
  void Damage(const fs::path& path) {
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.put('#');
    file.close();
    timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  TemporaryFolder folder_ = TemporaryFolder::Create("/tmp", "slipway-store-test-").value();
  fs::path root_ = folder_.path() / "deep" / "store";
  std::unique_ptr<Store> store_ = OpenStore();
};

TEST_F(StoreTest, ABlobComesBackWhole) {
  // SHA-256 of "abc" as FIPS 180-2 gives it.
  Digest digest = WriteBlob(*store_, "default", "abc").value();
  EXPECT_EQ(digest.ToString(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/3");
  EXPECT_EQ(ReadBlob(*store_, "default", digest).value(), "abc");
  EXPECT_TRUE(fs::exists(BlobPath(digest)));
  EXPECT_THAT(Files(), ElementsAre(digest.Hex() + "-3"));
  EXPECT_EQ(ReadBlob(*OpenStore(), "default", digest).value(), "abc");
  Digest empty = WriteBlob(*store_, "default", "").value();
  EXPECT_EQ(ReadBlob(*store_, "default", empty).value(), "");
  EXPECT_TRUE(store_->OpenLocal("default", empty).ok());
}

TEST_F(StoreTest, ReadsStartAtAnyOffset) {
  Digest digest = WriteBlob(*store_, "default", "0123456789").value();
  std::byte buffer[4];
  std::unique_ptr<BlobReader> reader = store_->Open("default", digest, 7).value();
  EXPECT_EQ(reader->Read(buffer).value(), 3u);
  EXPECT_EQ(static_cast<char>(buffer[0]), '7');
  EXPECT_EQ(reader->Read(buffer).value(), 0u);
  EXPECT_EQ(store_->Open("default", digest, 10).value()->Read(buffer).value(), 0u);
  EXPECT_EQ(store_->Open("default", digest, 11).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(StoreTest, MissingOnesAreNamedOnceAndInOrder) {
  Digest a = Digest::Of("a"), b = WriteBlob(*store_, "default", "b").value(), c = Digest::Of("c");
  EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{c, b, a, c, a}).value(), ElementsAre(c, a));
  EXPECT_EQ(store_->Open("default", a, 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->OpenLocal("default", a).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreTest, BytesThatAreNotTheDigestsAreRefusedAndNothingIsStored) {
  Digest digest = Digest::Of("right");
  std::unique_ptr<BlobWriter> wrong = store_->Create("default", digest).value();
  EXPECT_TRUE(wrong->Write(Bytes("wrong")).ok());
  EXPECT_EQ(wrong->Commit().code(), absl::StatusCode::kInvalidArgument);
  std::unique_ptr<BlobWriter> shorter = store_->Create("default", digest).value();
  EXPECT_TRUE(shorter->Write(Bytes("righ")).ok());
  EXPECT_EQ(shorter->Commit().code(), absl::StatusCode::kInvalidArgument);
  std::unique_ptr<BlobWriter> longer = store_->Create("default", digest).value();
  EXPECT_EQ(longer->Write(Bytes("right!")).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(longer->Commit().code(), absl::StatusCode::kInvalidArgument);
  store_->Create("default", digest).value().reset();  // dropped without Commit
  wrong.reset();
  shorter.reset();
  longer.reset();
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
}

TEST_F(StoreTest, ADamagedBlobIsDroppedWhenOpened) {
  Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  EXPECT_TRUE(store_->OpenLocal("default", digest).ok());
  Damage(BlobPath(digest));
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  EXPECT_TRUE(WriteBlob(*store_, "default", "some bytes").ok());
  EXPECT_EQ(ReadBlob(*store_, "default", digest).value(), "some bytes");
}

TEST_F(StoreTest, ADamagedBlobIsDroppedWhenRead) {
  Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  Damage(BlobPath(digest));
  EXPECT_EQ(ReadBlob(*store_, "default", digest).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadBlob(*store_, "default", digest).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreTest, ATruncatedBlobIsMissing) {
  Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  ASSERT_EQ(::truncate(BlobPath(digest).c_str(), 4), 0);
  EXPECT_THAT(store_->FindMissing("default", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreTest, TenantsDoNotSeeEachOther) {
  Digest digest = WriteBlob(*store_, "alice", "secret").value();
  EXPECT_THAT(store_->FindMissing("bob", std::vector<Digest>{digest}).value(), ElementsAre(digest));
  EXPECT_EQ(store_->Open("bob", digest, 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->OpenLocal("bob", digest).status().code(), absl::StatusCode::kNotFound);
  for (std::string tenant : {"", "..", "a/b", "A", "a b", "../alice"}) {
    EXPECT_EQ(store_->FindMissing(tenant, {}).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->Open(tenant, digest, 0).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->Create(tenant, digest).status().code(), absl::StatusCode::kInvalidArgument) << tenant;
    EXPECT_EQ(store_->PutFile(tenant, "/etc/hostname").status().code(), absl::StatusCode::kInvalidArgument) << tenant;
  }
  EXPECT_EQ(store_->FindMissing(std::string(65, 'a'), {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(StoreTest, WritersOfOneBlobAllSucceed) {
  std::string bytes(300'000, 'x');
  std::vector<std::thread> writers;
  std::unique_ptr<Store> others = OpenStore();  // as another process would
  for (int i = 0; i < 6; ++i) {
    writers.emplace_back([&, i] {
      for (int round = 0; round < 10; ++round) {
        Store& store = i % 2 == 0 ? *store_ : *others;
        absl::StatusOr<Digest> digest = WriteBlob(store, "default", bytes);
        EXPECT_TRUE(digest.ok());
        EXPECT_EQ(ReadBlob(store, "default", *digest).value(), bytes);
        EXPECT_TRUE(store.OpenLocal("default", *digest).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Files().size(), 1u);
}

TEST_F(StoreTest, AFileIsMovedInOrCopiedWhenOthersHoldIt) {
  auto write = [&](const char* name, const char* text) {
    std::ofstream(folder_.path() / name) << text;
    return folder_.path() / name;
  };
  Digest moved = store_->PutFile("default", write("a", "moved")).value();
  EXPECT_EQ(moved, Digest::Of("moved"));
  EXPECT_FALSE(fs::exists(folder_.path() / "a"));
  EXPECT_EQ(ReadBlob(*store_, "default", moved).value(), "moved");

  fs::path held = write("b", "held twice");
  fs::create_hard_link(held, folder_.path() / "c");
  Digest copied = store_->PutFile("default", held).value();
  std::ofstream(folder_.path() / "c") << "changed!!!";
  EXPECT_EQ(ReadBlob(*store_, "default", copied).value(), "held twice");

  fs::create_symlink(write("d", "linked"), folder_.path() / "e");
  Digest linked = store_->PutFile("default", folder_.path() / "e").value();
  EXPECT_EQ(ReadBlob(*OpenStore(), "default", linked).value(), "linked");
  EXPECT_TRUE(fs::exists(folder_.path() / "d"));
  EXPECT_EQ(store_->PutFile("default", folder_.path() / "none").status().code(), absl::StatusCode::kNotFound);
}

// Blobs larger than a limit that stands for the disk's end; with one small enough stored before and after.
void ExpectRefusedForSpace(Store& store) {
  ASSERT_TRUE(WriteBlob(store, "default", "small").ok());
  std::string large(1 << 20, 'x');
  EXPECT_EQ(WriteBlob(store, "default", large).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(store.FindMissing("default", std::vector<Digest>{Digest::Of(large)}).value(),
              ElementsAre(Digest::Of(large)));
  EXPECT_TRUE(WriteBlob(store, "default", "small too").ok());
}

TEST_F(StoreTest, WhereFilesCannotGrowTheWriteIsRefusedAndNothingIsLeft) {
  auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 256 << 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  ExpectRefusedForSpace(*store_);
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(Files().size(), 2u);
}

// A real full file system where this process may mount one; the limit above covers the rest.
TEST_F(StoreTest, OnAFullDiskTheWriteIsRefusedAndNothingIsLeft) {
  fs::path disk = folder_.path() / "disk";
  fs::create_directory(disk);
  bool mounted = ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=512k") == 0;
  root_ = mounted ? disk / "store" : fs::path("/dev/full/store");
  absl::StatusOr<std::unique_ptr<Store>> store = OpenLocalStore({.root = root_, .ephemeral = false});
  if (mounted) {
    ExpectRefusedForSpace(**store);
    EXPECT_EQ(Files().size(), 2u);
    store->reset();
    ::umount2(disk.c_str(), MNT_DETACH);
  } else {
    EXPECT_FALSE(store.ok());
  }
}

TEST_F(StoreTest, AFolderThatCannotBeIsRefused) {
  std::ofstream(folder_.path() / "file") << "x";
  EXPECT_FALSE(OpenLocalStore({.root = folder_.path() / "file", .ephemeral = false}).ok());
  EXPECT_FALSE(OpenLocalStore({.root = folder_.path() / "file" / "below", .ephemeral = false}).ok());
  EXPECT_EQ(OpenLocalStore({.root = "", .ephemeral = false}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace slipway
