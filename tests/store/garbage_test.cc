// Garbage collection of local stores and of buckets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "tests/store/places.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;

class GarbageTest : public ::testing::TestWithParam<const char*> {
 protected:
  static GarbageOptions Tomorrow(std::vector<Digest> referenced = {}) {
    return {.farm = "farm 1",
            .referenced = [referenced](auto, const Digest& digest) -> absl::StatusOr<bool> {
              return std::find(referenced.begin(), referenced.end(), digest) != referenced.end();
            },
            .now = absl::Now() + absl::Hours(25)};
  }
  std::vector<Digest> Missing(std::vector<Digest> wanted) { return store_->FindMissing("default", wanted).value(); }

  std::unique_ptr<Place> place_ = MakePlace(GetParam());
  std::unique_ptr<Store> store_ = place_->Open();
  Digest a_ = WriteBlob(*store_, "default", "a").value(), b_ = WriteBlob(*store_, "default", "b").value();
};

TEST_P(GarbageTest, OnlyTheUntouchedAndUnreferencedGo) {
  ASSERT_TRUE(store_->Bind("farm 1").ok());
  GarbageOptions today = Tomorrow();
  today.now = absl::Now();
  EXPECT_EQ(store_->CollectGarbage(today)->young, 2u);
  EXPECT_THAT(Missing({a_, b_}), ElementsAre());
  GarbageReport report = store_->CollectGarbage(Tomorrow({a_})).value();
  EXPECT_EQ(report.referenced, 1u);
  EXPECT_EQ(report.removed, 1u);
  EXPECT_EQ(report.removed_bytes, 1u);
  EXPECT_THAT(Missing({a_, b_}), ElementsAre(b_));
}

TEST_P(GarbageTest, AnotherFarmsStoreIsLeftAlone) {
  EXPECT_EQ(store_->CollectGarbage(Tomorrow()).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(store_->Bind("farm 2").ok());
  EXPECT_EQ(store_->CollectGarbage(Tomorrow()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Missing({a_, b_}), ElementsAre());
  ASSERT_TRUE(store_->Bind("farm 1").ok());
  EXPECT_EQ(store_->CollectGarbage(Tomorrow())->removed, 2u);
}

TEST_P(GarbageTest, StopsWhenAsked) {
  ASSERT_TRUE(store_->Bind("farm 1").ok());
  GarbageOptions options = Tomorrow();
  options.stop = [] { return true; };
  EXPECT_EQ(store_->CollectGarbage(options).status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(Missing({a_, b_}), ElementsAre());
}

TEST_P(GarbageTest, OldActionsGo) {
  ASSERT_TRUE(store_->Bind("farm 1").ok());
  ASSERT_TRUE(store_->PutAction("default", a_, b_).ok());
  GarbageOptions today = Tomorrow();
  today.now = absl::Now();
  EXPECT_EQ(store_->CollectGarbage(today)->actions, 0u);
  EXPECT_EQ(store_->FindAction("default", a_).value(), b_);
  EXPECT_EQ(store_->CollectGarbage(Tomorrow())->actions, 1u);
  EXPECT_EQ(store_->FindAction("default", a_).status().code(), absl::StatusCode::kNotFound);
}

// A bucket's pins have an age as its blobs do; a local store's last as long as their process.
TEST(LocalGarbageTest, PinnedBlobsStayWhileTheirPinsLive) {
  std::unique_ptr<Place> place = MakePlace("Local");
  std::unique_ptr<Store> store = place->Open();
  Digest pinned = WriteBlob(*store, "default", "pinned").value(), free = WriteBlob(*store, "default", "free").value();
  ASSERT_TRUE(store->Bind("farm 1").ok());
  GarbageOptions options{
      .farm = "farm 1", .referenced = [](auto, const Digest&) { return false; }, .now = absl::Now() + absl::Hours(25)};
  std::unique_ptr<BlobPins> pins = place->Open()->Pin().value();
  ASSERT_TRUE(pins->Add("default", std::vector<Digest>{pinned}).ok());
  EXPECT_EQ(pins->lasts(), absl::InfiniteDuration());
  GarbageReport report = store->CollectGarbage(options).value();
  EXPECT_EQ(report.pinned, 1u);
  EXPECT_THAT(store->FindMissing("default", std::vector<Digest>{pinned, free}).value(), ElementsAre(free));
  pins.reset();
  EXPECT_EQ(store->CollectGarbage(options)->removed, 1u);
}

// As when its mount goes away and leaves an empty folder: nobody would find there what is stored.
TEST(LocalGarbageTest, AFolderThatWasAFarmsPinsNothingWhileItIsNobodys) {
  const TemporaryFolder folder = *TemporaryFolder::Create("/tmp", "store-");
  const TemporaryFolder disk = *TemporaryFolder::Create("/dev/shm", "store-");  // another file system
  const std::filesystem::path mount = folder.path() / "mount";
  std::filesystem::create_directory_symlink(disk.path(), mount);
  std::unique_ptr<Store> store = *OpenLocalStore({.root = mount, .ephemeral = true});
  EXPECT_TRUE(store->Pin().ok());
  ASSERT_TRUE(store->Bind("farm 1").ok());
  EXPECT_TRUE(store->Pin().ok());
  std::filesystem::remove(mount);
  ASSERT_TRUE(WriteBlob(*store, "default", "abc").ok());
  EXPECT_EQ(store->Pin().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store->CollectGarbage({.farm = "farm 1"}).status().code(), absl::StatusCode::kUnavailable);
  std::filesystem::remove_all(mount);
  std::filesystem::create_directory_symlink(disk.path(), mount);
  EXPECT_TRUE(store->Pin().ok());
}

// Nothing comes back by waiting there: the farm goes on with what is stored anew.
TEST(LocalGarbageTest, AFolderThatSomebodyEmptiedStaysItsFarms) {
  const TemporaryFolder folder = *TemporaryFolder::Create("/tmp", "store-");
  const std::filesystem::path root = folder.path() / "above" / "store";
  std::unique_ptr<Store> store = *OpenLocalStore({.root = root, .ephemeral = true});
  ASSERT_TRUE(store->Bind("farm 1").ok());
  EXPECT_EQ(store->Farm().value(), "farm 1");
  for (const std::filesystem::path& gone : {root / "farm", root, root.parent_path()}) {
    std::filesystem::remove_all(gone);
    EXPECT_TRUE(store->Pin().ok()) << gone;
    EXPECT_EQ(ReadFile(root / "farm").value_or(""), "farm 1") << gone;
    ASSERT_TRUE(WriteBlob(*store, "default", "abc").ok()) << gone;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, GarbageTest, ::testing::Values("Local", "S3"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace slipway
