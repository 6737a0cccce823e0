// What is a local store's alone: its files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/base/error.h"
#include "common/store/down.h"
#include "common/store/layout.h"
#include "common/store/store.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class LocalStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> OpenStore(bool ephemeral = false) {
    return OpenLocalStore({.root = root_, .ephemeral = ephemeral}).value();
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

TEST_F(LocalStoreTest, ABlobIsAFileNamedByItsDigest) {
  // SHA-256 of "abc" as FIPS 180-2 gives it.
  const std::string hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(WriteBlob(*store_, "default", "abc").value().ToString(), hex + "/3");
  EXPECT_EQ(ReadFile(root_ / "t/default/ba" / (hex + "-3")).value(), "abc");
  EXPECT_THAT(Files(), ElementsAre(hex + "-3"));
}

TEST_F(LocalStoreTest, AFileOnceVerifiedIsHashedAgainWhenItChanged) {
  Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  EXPECT_TRUE(store_->OpenLocal("default", digest).ok());
  Damage(root_ / BlobKey("default", digest));
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kDataLoss);
}

// Over NFS a rename may have happened although its reply, and so the client's second try, says that there is no file.
TEST_F(LocalStoreTest, ARenameThatHappenedAlreadyIsSuccess) {
  StoreLayout layout(root_, /*ephemeral=*/false);
  fs::path file = layout.TemporaryPath("default").value();
  std::ofstream(file) << "abc";
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  Digest digest = Digest::Of("abc"), other = Digest::Of("xyz");
  ASSERT_TRUE(layout.Publish(fd.get(), file, "default", digest).ok());
  EXPECT_TRUE(layout.Publish(fd.get(), file, "default", digest).ok());
  EXPECT_EQ(layout.Publish(fd.get(), file, "default", other).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadBlob(*store_, "default", digest).value(), "abc");
}

TEST_F(LocalStoreTest, AFileIsMovedInOrCopiedWhenOthersHoldIt) {
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

TEST_F(LocalStoreTest, WhereFilesCannotGrowTheWriteIsRefusedAndNothingIsLeft) {
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
TEST_F(LocalStoreTest, OnAFullDiskTheWriteIsRefusedAndNothingIsLeft) {
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

// Not PERMISSION_DENIED or NOT_FOUND: neither the caller's role nor a lost blob is the matter, and trying again may help.
TEST_F(LocalStoreTest, WhatIsNoFolderAnyMoreIsAway) {
  const Digest digest = WriteBlob(*store_, "default", "some bytes").value();
  fs::remove_all(root_ / "t");
  std::ofstream(root_ / "t") << "x";
  const Digest wanted[] = {digest};
  EXPECT_EQ(store_->FindMissing("default", wanted).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store_->Open("default", digest, 0).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store_->OpenLocal("default", digest).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(WriteBlob(*store_, "default", "other bytes").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(IsStoreDown(store_->OpenLocal("default", digest).status()));
  for (const int error : {EROFS, EACCES, EPERM})
    EXPECT_EQ(StoreErrno(error, "touch it").code(), absl::StatusCode::kUnavailable) << error;
}

// A task that waits for the store must not wait for what only one file, or this process, suffers from.
TEST_F(LocalStoreTest, ItIsDownByWhatEveryBlobWouldMeet) {
  for (const int error : {EROFS, EACCES, ENOTDIR, ENOSPC, EDQUOT, EIO, ESTALE, ELOOP, ETIMEDOUT})
    EXPECT_TRUE(IsStoreDown(StoreErrno(error, "touch it"))) << error;
  for (const int error : {ENOENT, EFBIG, EMFILE, ENFILE, ENOMEM})
    EXPECT_FALSE(IsStoreDown(StoreErrno(error, "touch it"))) << error;
  EXPECT_FALSE(IsStoreDown(store_->OpenLocal("default", Digest::Of("never stored")).status()));
  fs::create_directory(folder_.path() / "scratch");
  EXPECT_FALSE(IsStoreDown(store_->PutFile("default", folder_.path() / "scratch" / "none").status()));
  EXPECT_FALSE(IsStoreDown(store_->PutFile("default", folder_.path() / "scratch").status())) << "a folder is no file";
}

TEST_F(LocalStoreTest, AFolderThatCannotBeIsRefused) {
  std::ofstream(folder_.path() / "file") << "x";
  EXPECT_FALSE(OpenLocalStore({.root = folder_.path() / "file", .ephemeral = false}).ok());
  EXPECT_FALSE(OpenLocalStore({.root = folder_.path() / "file" / "below", .ephemeral = false}).ok());
  EXPECT_EQ(OpenLocalStore({.root = "", .ephemeral = false}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace slipway
