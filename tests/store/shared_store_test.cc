// The embedded farm's store as its client uses it.
#include "common/store/shared_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "common/base/error.h"

namespace slipway {
namespace {

class SharedStoreTest : public testing::Test {
 protected:
  std::filesystem::path Write(const std::string& bytes) const {
    const std::filesystem::path path = folder_.path() / "model";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  UniqueFd Open(const std::filesystem::path& path) const { return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)); }
  static absl::StatusOr<std::string> ReadAll(const SharedStore& store, const Digest& digest) {
    ASSIGN_OR_RETURN(const std::unique_ptr<BlobReader> reader, store.Read(digest));
    std::string bytes, piece(1000, '\0');
    for (;;) {
      ASSIGN_OR_RETURN(const size_t read, reader->Read(std::as_writable_bytes(std::span(piece))));
      if (read == 0) return bytes;
      bytes.append(piece, 0, read);
    }
  }

  TemporaryFolder folder_ = TemporaryFolder::Create("/tmp", "slipway-test-").value();
  LocalStoreOptions options_{.root = folder_.path() / "store", .ephemeral = true};
  std::unique_ptr<SharedStore> shared_ = SharedStore::Open(options_, kSoleTenant).value();
  // As another process of the farm has it.
  std::unique_ptr<Store> farm_ = OpenLocalStore(options_).value();
};

TEST_F(SharedStoreTest, TheFarmFindsACopyOfWhatWasAdded) {
  std::string bytes(700'001, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  const std::filesystem::path file = Write(bytes);
  const Digest digest = shared_->Add(Open(file).get()).value();
  EXPECT_EQ(digest, Digest::Of(bytes));
  std::ofstream(file, std::ios::binary) << "changed afterwards";
  EXPECT_TRUE(farm_->FindMissing(kSoleTenant, std::span(&digest, 1)).value().empty());
  const UniqueFd blob = farm_->OpenLocal(kSoleTenant, digest).value();
  struct stat info;
  ASSERT_EQ(fstat(blob.get(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0444U);
  EXPECT_EQ(DigestOfFile(blob.get()).value(), digest);
  EXPECT_EQ(ReadAll(*shared_, digest).value(), bytes);
}

TEST_F(SharedStoreTest, AnEmptyFile) {
  const Digest digest = shared_->Add(Open(Write("")).get()).value();
  EXPECT_EQ(digest, Digest::Of(std::string_view()));
  EXPECT_EQ(ReadAll(*shared_, digest).value(), "");
}

TEST_F(SharedStoreTest, ReadingVerifies) {
  const Digest digest = Digest::Of("abc");
  EXPECT_TRUE(absl::IsNotFound(ReadAll(*shared_, digest).status()));
  ASSERT_TRUE(WriteBlob(*farm_, kSoleTenant, "abc").ok());
  EXPECT_EQ(ReadAll(*shared_, digest).value(), "abc");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.root)) {
    if (!entry.is_regular_file()) continue;
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_all);
    std::ofstream(entry.path(), std::ios::binary) << "abd";
  }
  EXPECT_TRUE(absl::IsDataLoss(ReadAll(*shared_, digest).status()));
}

TEST_F(SharedStoreTest, AFullDiskLeavesNothing) {
  const UniqueFd endless(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1 << 20, before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const absl::Status status = shared_->Add(endless.get()).status();
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(std::filesystem::is_empty(options_.root / "t" / kSoleTenant / "tmp"));
}

}  // namespace
}  // namespace slipway
