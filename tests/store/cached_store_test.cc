// The bounded folder of local copies.
#include "common/store/cached_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/error.h"
#include "common/store/layout.h"
#include "tests/store/places.h"

namespace slipway {
namespace {

TEST(CachedStoreTest, TheBoundIsHeldAndWhatIsInUseStays) {
  std::unique_ptr<Place> backing = MakePlace("Local");
  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-cache-test-").value();
  std::unique_ptr<Store> cached = OpenCachedStore({.root = folder.path(), .max_bytes = 3000}, backing->Open()).value();
  auto bytes = [&] {
    uint64_t total = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
      if (entry.is_regular_file()) total += entry.file_size();
    return total;
  };
  std::vector<UniqueFd> held;
  for (int i = 0; i < 8; ++i) {
    Digest digest = WriteBlob(*cached, "default", std::string(1000, static_cast<char>('a' + i))).value();
    absl::StatusOr<UniqueFd> fd = cached->OpenLocal("default", digest);
    ASSERT_TRUE(fd.ok()) << fd.status();
    EXPECT_EQ(DigestOfFile(fd->get()).value(), digest);
    EXPECT_EQ(bytes(), std::min(3000, (i + 1) * 1000));
    if (i >= 5) held.push_back(*std::move(fd));
  }
  Digest more = WriteBlob(*cached, "default", "more").value();
  EXPECT_TRUE(cached->OpenLocal("default", more).ok());  // passed on: all room is in use
  EXPECT_EQ(bytes(), 3000u);
  held.clear();
  EXPECT_TRUE(cached->OpenLocal("default", more).ok());
  EXPECT_EQ(bytes(), 2004u);
}

TEST(CachedStoreTest, ADamagedCopyIsFetchedAgain) {
  std::unique_ptr<Place> backing = MakePlace("Local");
  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-cache-test-").value();
  Digest digest = WriteBlob(*backing->Open(), "default", "some bytes").value();
  std::filesystem::path copy = folder.path() / BlobKey("default", digest);
  // A copy of its own size, another process': damaged while nobody looked.
  ASSERT_TRUE(OpenCachedStore({.root = folder.path()}, backing->Open()).value()->OpenLocal("default", digest).ok());
  std::filesystem::permissions(copy, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::ofstream(copy) << "same bytes";
  std::unique_ptr<Store> cached = OpenCachedStore({.root = folder.path()}, backing->Open()).value();
  absl::StatusOr<UniqueFd> fd = cached->OpenLocal("default", digest);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(DigestOfFile(fd->get()).value(), digest);
  EXPECT_EQ(ReadFile(copy).value(), "some bytes");
}

TEST(CachedStoreTest, AFolderThatTakesNoCopyCostsNoBlob) {
  std::unique_ptr<Place> backing = MakePlace("Local");
  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-cache-test-").value();
  std::unique_ptr<Store> cached = OpenCachedStore({.root = folder.path()}, backing->Open()).value();
  // No rename into a file that stands where a folder belongs.
  const Digest digest = WriteBlob(*cached, "default", "some bytes").value();
  const std::filesystem::path copy = folder.path() / BlobKey("default", digest);
  std::filesystem::create_directories(copy.parent_path().parent_path());
  std::ofstream(copy.parent_path()) << "no folder";
  absl::StatusOr<UniqueFd> fd = cached->OpenLocal("default", digest);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(DigestOfFile(fd->get()).value(), digest);
}

TEST(CachedStoreTest, ACopyServesWithoutTheStoreBehind) {
  std::unique_ptr<Place> backing = MakePlace("Local");
  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-cache-test-").value();
  std::unique_ptr<Store> cached = OpenCachedStore({.root = folder.path()}, backing->Open()).value();
  Digest digest = WriteBlob(*cached, "default", "some bytes").value();
  ASSERT_TRUE(cached->OpenLocal("default", digest).ok());
  backing->Overwrite("default", digest, "");
  EXPECT_TRUE(cached->OpenLocal("default", digest).ok());
}

}  // namespace
}  // namespace slipway
