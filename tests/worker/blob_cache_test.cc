// What a worker keeps of the blobs that its tasks share.
#include "worker/daemon/blob_cache.h"

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

// Stands for a spec: its JSON.
struct Parsed {
  std::string json;
  static absl::StatusOr<Parsed> FromJson(std::string_view json) { return Parsed{std::string(json)}; }
};

class BlobCacheTest : public testing::Test {
 protected:
  // Stores `text` and reads it once.
  std::string Keep(BlobCache<Parsed>& cache, const std::string& text) {
    const std::string digest = WriteBlob(*store_, "default", text).value().ToString();
    EXPECT_EQ(cache.Get(*store_, "default", digest).value()->json, text);
    return digest;
  }
  // Whether `digest` is kept: the store has nothing any more.
  bool Kept(BlobCache<Parsed>& cache, const std::string& digest) {
    std::filesystem::remove_all(folder_.path() / "t");
    return cache.Get(*store_, "default", digest).ok();
  }

  const TemporaryFolder folder_ = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  const std::unique_ptr<Store> store_ = OpenLocalStore({.root = folder_.path(), .ephemeral = true}).value();
};

TEST_F(BlobCacheTest, KeepsWhatIsUsed) {
  BlobCache<Parsed> cache(1000);
  const std::string first = Keep(cache, std::string(400, 'a')), second = Keep(cache, std::string(400, 'b'));
  Keep(cache, std::string(400, 'a'));  // used again: the other one leaves
  const std::string third = Keep(cache, std::string(400, 'c'));
  EXPECT_TRUE(Kept(cache, first));
  EXPECT_TRUE(Kept(cache, third));
  EXPECT_FALSE(Kept(cache, second));
}

TEST_F(BlobCacheTest, OneThatIsTooLargeIsKeptAlone) {
  BlobCache<Parsed> cache(1000);
  const std::string small = Keep(cache, "small"), large = Keep(cache, std::string(5000, 'l'));
  EXPECT_TRUE(Kept(cache, large));
  EXPECT_FALSE(Kept(cache, small));
}

TEST_F(BlobCacheTest, SmallOnesAreFew) {
  BlobCache<Parsed> cache(1000);
  const std::string first = Keep(cache, "0");
  for (int i = 1; i <= 64; ++i) Keep(cache, std::to_string(i));
  EXPECT_FALSE(Kept(cache, first));
}

TEST_F(BlobCacheTest, EveryTenantHasItsOwn) {
  BlobCache<Parsed> cache;
  EXPECT_TRUE(absl::IsNotFound(cache.Get(*store_, "other", Keep(cache, "mine")).status()));
}

}  // namespace
}  // namespace slipway
