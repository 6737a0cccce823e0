#include "worker/daemon/scratch.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "common/base/error.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class ScratchTest : public testing::Test {
 protected:
  ScratchTest() : folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "scratch-")) {}
  TemporaryFolder folder_;
};

TEST_F(ScratchTest, NothingIsAddedToWhatIsRemoved) {
  for (int round = 0; round < 20; ++round) {
    WorkerScratch scratch = *WorkerScratch::Create(folder_.path());
    std::latch begun(1);
    std::thread slot([&] {
      for (int made = 0; scratch.NewFolder("child").ok(); ++made) {
        if (made == 10) begun.count_down();
      }
    });
    begun.wait();
    scratch.Remove();
    slot.join();
    ASSERT_TRUE(fs::is_empty(folder_.path())) << "round " << round;
  }
}

// A cleaner of /tmp takes the folder of a worker that lives; one that has ended makes nothing again.
TEST_F(ScratchTest, AFolderThatSomebodyRemovedIsMadeAgain) {
  const fs::path parent = folder_.path() / "slipway";
  WorkerScratch scratch = *WorkerScratch::Create(parent);
  for (const fs::path& gone : {scratch.path(), parent}) {
    fs::remove_all(gone);
    const auto made = scratch.NewFolder("child");
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->parent_path(), scratch.path());
    EXPECT_EQ(fs::status(scratch.path()).permissions(), fs::perms::owner_all);
    EXPECT_TRUE(fs::is_directory(*made));
  }
  scratch.Remove();
  EXPECT_FALSE(scratch.NewFolder("child").ok());
  EXPECT_TRUE(fs::is_empty(parent));
}

TEST_F(ScratchTest, WhoeverComesNextFinishesAnInterruptedRemoval) {
  for (const char* leftover : {"slipway-worker-1", "slipway-worker-2.removed"}) {
    fs::create_directories(folder_.path() / leftover / "child-1");
  }
  for (const char* lock : {"slipway-worker-1.lock", "slipway-worker-2.lock"}) {
    ASSERT_TRUE(WriteFileAtomically(folder_.path() / lock, "").ok());
  }
  { WorkerScratch next = *WorkerScratch::Create(folder_.path()); }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

}  // namespace
}  // namespace slipway
