// What the cache of specs asks of the store.
#include "coordinator/planner/spec_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/queue/queue.h"
#include "common/store/store.h"

namespace slipway {
namespace {

constexpr char kTenant[] = "default";

RequestSpec SmallSpec(const std::string& model) {
  RequestSpec spec;
  spec.models = {{.name = model, .kind = "noop"}};
  spec.tasks = {{.kind = SpecTask::Kind::kCell, .model = 0, .target = "onnx", .precision = "fp32"}};
  return spec;
}

// One that is too large for the queue to carry.
RequestSpec SpecOf(const std::string& model) {
  RequestSpec spec = SmallSpec(model);
  spec.options.interface.labels_file = std::string(kMaxCarriedSpecBytes, 'l');
  return spec;
}

class SpecCacheTest : public testing::Test {
 protected:
  Digest Put(SpecCache& cache, const RequestSpec& spec, const std::string& tenant = kTenant) {
    return Digest::Parse(cache.Put(tenant, spec, spec.ToJson()).value()).value();
  }
  std::filesystem::path FileOf(const Digest& digest, const std::string& tenant = kTenant) const {
    return folder_.path() / "t" / tenant / digest.Hex().substr(0, 2) /
           (digest.Hex() + "-" + std::to_string(digest.bytes));
  }
  ino_t InodeOf(const std::filesystem::path& path) const {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_ino;
  }

  const TemporaryFolder folder_ = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  const std::unique_ptr<Store> store_ = OpenLocalStore({.root = folder_.path(), .ephemeral = true}).value();
};

TEST_F(SpecCacheTest, ASmallSpecIsCarriedByTheQueueAndNotStored) {
  SpecCache cache(*store_);
  const std::string json = SmallSpec("m").ToJson();
  EXPECT_EQ(cache.Put(kTenant, SmallSpec("m"), json).value(), json);
  EXPECT_EQ(cache.Get(kTenant, json).value()->Of(0).model, "m");
  EXPECT_TRUE(absl::IsNotFound(ReadBlob(*store_, kTenant, Digest::Of(json)).status()));
}

// It names what is wrong, not the whole spec.
TEST_F(SpecCacheTest, ASpecThatIsNoneIsDataLoss) {
  SpecCache cache(*store_);
  const absl::Status status = cache.Get(kTenant, R"({"schema":"none"})").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(Message(status), testing::StartsWith("the request's spec cannot be read: "));
}

TEST_F(SpecCacheTest, AnEqualSpecIsNotWrittenAgain) {
  SpecCache cache(*store_);
  const Digest digest = Put(cache, SpecOf("m"));
  EXPECT_EQ(ReadBlob(*store_, kTenant, digest).value(), SpecOf("m").ToJson());
  // An hour without use; the file must be the same one afterwards, and be used now.
  const std::filesystem::path file = FileOf(digest);
  const ino_t inode = InodeOf(file);
  const timespec long_ago[2] = {{1000, 0}, {0, UTIME_OMIT}};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), long_ago, 0), 0);
  EXPECT_EQ(Put(cache, SpecOf("m")), digest);
  EXPECT_EQ(InodeOf(file), inode);
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_GT(info.st_atim.tv_sec, 1000);
}

TEST_F(SpecCacheTest, ASpecThatIsGoneIsWrittenAgain) {
  SpecCache cache(*store_);
  const Digest digest = Put(cache, SpecOf("m"));
  ASSERT_TRUE(std::filesystem::remove(FileOf(digest)));
  EXPECT_EQ(Put(cache, SpecOf("m")), digest);
  EXPECT_EQ(ReadBlob(*store_, kTenant, digest).value(), SpecOf("m").ToJson());
}

TEST_F(SpecCacheTest, EveryTenantHasItsOwn) {
  SpecCache cache(*store_);
  const Digest digest = Put(cache, SpecOf("m"));
  Put(cache, SpecOf("m"), "other");
  EXPECT_EQ(ReadBlob(*store_, "other", digest).value(), SpecOf("m").ToJson());
  EXPECT_TRUE(absl::IsNotFound(cache.Get("third", digest.ToString()).status()));
}

// What was put is read from memory; what was pushed out by others, from the store.
TEST_F(SpecCacheTest, KeepsNoMoreThanItMay) {
  SpecCache cache(*store_, 4096);
  const Digest first = Put(cache, SpecOf("first"));
  std::filesystem::remove(FileOf(first));
  EXPECT_EQ(cache.Get(kTenant, first.ToString()).value()->Of(0).model, "first");
  for (int i = 0; i < 20; ++i) Put(cache, SpecOf("m" + std::to_string(i)));
  EXPECT_TRUE(absl::IsNotFound(cache.Get(kTenant, first.ToString()).status()));
}

// Of every task: prepare tasks have a model alone, models may have no name, and a task that the spec does not have has nothing.
TEST_F(SpecCacheTest, NamesTheCells) {
  RequestSpec spec;
  spec.models = {{.name = "a"}, {.name = ""}, {.name = "wide resnet"}};
  spec.tasks = {{.kind = SpecTask::Kind::kPrepare, .model = 2},
                {.kind = SpecTask::Kind::kCell, .model = 2, .target = "tflite", .precision = "int8", .prepare = 0},
                {.kind = SpecTask::Kind::kCell, .model = 1, .target = "onnx", .precision = "fp32"},
                {.kind = SpecTask::Kind::kCell, .model = 0, .target = "tflite", .precision = "int8"},
                {.kind = SpecTask::Kind::kCell, .model = 3, .target = "onnx", .precision = "fp16"}};
  const CellNames names(spec);
  const auto told = [&](uint32_t index) {
    const CellNames::Cell cell = names.Of(index);
    return fmt::format("{}|{}|{}", cell.model, cell.target, cell.precision);
  };
  EXPECT_EQ(told(0), "wide resnet||");
  EXPECT_EQ(told(1), "wide resnet|tflite|int8");
  EXPECT_EQ(told(2), "|onnx|fp32");
  EXPECT_EQ(told(3), "a|tflite|int8");
  EXPECT_EQ(told(4), "|onnx|fp16");
  EXPECT_EQ(told(5), "||");
}

// A coordinator keeps the names of half a million cells.
TEST_F(SpecCacheTest, KeepsAFewBytesACell) {
  RequestSpec spec;
  for (uint32_t model = 0; model < 1000; ++model) {
    spec.models.push_back({.name = "model-" + std::to_string(model), .kind = "onnx"});
    spec.tasks.push_back({.kind = SpecTask::Kind::kPrepare, .model = model});
    for (const char* precision : {"fp32", "fp16", "int8"})
      spec.tasks.push_back({.model = model, .target = "onnx", .precision = precision});
  }
  EXPECT_LT(CellNames(spec).bytes(), 20 * spec.tasks.size());
}

// Room for a few of them, so that threads also take away what others have just found.
TEST_F(SpecCacheTest, ThreadsShareIt) {
  SpecCache cache(*store_, 4 * kMaxCarriedSpecBytes);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const std::string model = "m" + std::to_string(i % 8);
        const Digest digest = Put(cache, SpecOf(model));
        EXPECT_EQ(cache.Get(kTenant, digest.ToString()).value()->Of(0).model, model);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace slipway
