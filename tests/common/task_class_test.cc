#include "common/task/task_class.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/queue/plan.h"

namespace slipway {
namespace {

using testing::ElementsAre;

TEST(TaskClass, NamesTheRuntimeAndTheMemory) {
  EXPECT_EQ(TaskClass("", 0), "any");
  EXPECT_EQ(TaskClass("", 2 * kGiB), "any");
  EXPECT_EQ(TaskClass("", 2 * kGiB + 1), "any+8g");
  EXPECT_EQ(TaskClass("litert", 8 * kGiB), "litert+8g");
  EXPECT_EQ(TaskClass("litert", 8 * kGiB + 1), "litert+32g");
  EXPECT_EQ(TaskClass("ncnn", 500 * kGiB), "ncnn+32g") << "the largest there is: tried there";
}

TEST(TaskClass, AWorkerOffersWhatItHas) {
  const std::vector<std::string> all = {"ncnn", "litert", "onnxruntime"};
  EXPECT_THAT(ClassesOf(all, 2 * kGiB), ElementsAre("any", "onnxruntime", "litert", "ncnn"));
  EXPECT_THAT(ClassesOf(all, kGiB / 4), ElementsAre("any", "onnxruntime", "litert", "ncnn"))
      << "a task that does not fit goes to the next larger class";
  EXPECT_THAT(ClassesOf({"onnxruntime", "ncnn"}, 8 * kGiB),
              ElementsAre("any", "onnxruntime", "ncnn", "any+8g", "onnxruntime+8g", "ncnn+8g"));
  EXPECT_THAT(ClassesOf({"onnxruntime"}, 8 * kGiB - 1), ElementsAre("any", "onnxruntime"));
  EXPECT_THAT(ClassesOf({"litert", "ncnn"}, 2 * kGiB), ElementsAre("any")) << "nothing to compare with";
  EXPECT_THAT(ClassesOf({}, 64 * kGiB), ElementsAre("any", "any+8g", "any+32g"));
}

// Whatever a task needs, a worker that has it all takes it; and no more classes than lease.lua should see.
TEST(TaskClass, AWorkerThatHasEverythingTakesEverything) {
  const std::vector<std::string> all = AllClasses();
  EXPECT_EQ(all.size(), 12u);
  EXPECT_EQ(ClassesOf({"onnxruntime", "litert", "ncnn"}, 32 * kGiB), all);
  for (const char* runtime : {"", "onnxruntime", "litert", "ncnn"}) {
    for (const uint64_t memory : {uint64_t{0}, 3 * kGiB, 30 * kGiB, 300 * kGiB}) {
      const std::string task_class = TaskClass(runtime, memory);
      EXPECT_NE(std::ranges::find(all, task_class), all.end()) << task_class;
      EXPECT_TRUE(CheckClass(task_class).ok()) << task_class;
    }
  }
}

TEST(TaskClass, MoreMemoryIsOfTheSameRuntime) {
  EXPECT_TRUE(HasMoreMemory("litert+8g", "litert"));
  EXPECT_TRUE(HasMoreMemory("litert+32g", "litert+8g"));
  EXPECT_TRUE(HasMoreMemory("any+8g", "any"));
  EXPECT_FALSE(HasMoreMemory("litert+8g", "litert+8g"));
  EXPECT_FALSE(HasMoreMemory("litert", "litert+8g"));
  EXPECT_FALSE(HasMoreMemory("ncnn+8g", "litert"));
  EXPECT_FALSE(HasMoreMemory("litert+xg", "litert"));
}

}  // namespace
}  // namespace slipway
