#include "client/report/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class OutputFolderTest : public testing::Test {
 protected:
  OutputFolderTest() : folder_(TemporaryFolder::Create("/tmp", "st-").value()), out_(folder_.path() / "out") {}

  static void Put(const fs::path& path, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
  }
  static void StageCell(OutputFolder& out, const std::string& cell, const std::string& content) {
    Put(out.Stage("m", cell).value() / "m.onnx", content);
  }
  std::vector<std::string> Names(const fs::path& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder folder_;
  fs::path out_;
};

TEST_F(OutputFolderTest, EachFateLeavesWhatItShould) {
  {
    OutputFolder out = OutputFolder::Open(out_).value();
    for (const char* cell : {"a", "b", "c", "d"}) StageCell(out, cell, "old");
    const std::vector<PublishedCell> cells = {{"m", "a", CellFate::kKept},
                                              {"m", "b", CellFate::kRejected},
                                              {"m", "c", CellFate::kKept},
                                              {"m", "d", CellFate::kKept}};
    ASSERT_TRUE(out.Publish(cells, "1").ok());
    EXPECT_THAT(Names(out_ / "m"), ElementsAre("a", "b.rejected", "c", "d"));
  }
  OutputFolder out = OutputFolder::Open(out_).value();
  EXPECT_EQ(out.EarlierManifest().value(), "1");
  StageCell(out, "a", "bad");
  StageCell(out, "b", "good");
  const std::vector<PublishedCell> cells = {{"m", "a", CellFate::kRejected},
                                            {"m", "b", CellFate::kKept},
                                            {"m", "c", CellFate::kGone},
                                            {"m", "d", CellFate::kUntouched}};
  ASSERT_TRUE(out.Publish(cells, "2").ok());
  EXPECT_THAT(Names(out_ / "m"), ElementsAre("a.rejected", "b", "d"));
  EXPECT_EQ(ReadAll(out_ / "m/a.rejected/m.onnx"), "bad");
  EXPECT_EQ(ReadAll(out_ / "m/b/m.onnx"), "good");
  EXPECT_EQ(ReadAll(out_ / "m/d/m.onnx"), "old");
  EXPECT_EQ(ReadAll(out_ / "manifest.json"), "2");
}

TEST_F(OutputFolderTest, CellsAreExchangedWhole) {
  {
    OutputFolder out = OutputFolder::Open(out_).value();
    StageCell(out, "a", "old");
    Put(out.Stage("m", "a").value() / "stale.bin", "stale");
    ASSERT_TRUE(out.Publish(std::vector<PublishedCell>{{"m", "a", CellFate::kKept}}, "1").ok());
  }
  OutputFolder out = OutputFolder::Open(out_).value();
  StageCell(out, "a", "new");
  ASSERT_TRUE(out.Publish(std::vector<PublishedCell>{{"m", "a", CellFate::kKept}}, "2").ok());
  EXPECT_THAT(Names(out_ / "m/a"), ElementsAre("m.onnx"));
}

TEST_F(OutputFolderTest, OneRunAtATime) {
  const OutputFolder first = OutputFolder::Open(out_).value();
  const absl::StatusOr<OutputFolder> second = OutputFolder::Open(out_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(KindOf(second.status()), ErrorKind::kMachine);
  EXPECT_THAT(Message(second.status()), HasSubstr("another run is writing"));
}

TEST_F(OutputFolderTest, WithoutPublishEverythingIsAsBefore) {
  {
    OutputFolder out = OutputFolder::Open(out_).value();
    StageCell(out, "a", "x");
  }
  EXPECT_FALSE(fs::exists(out_));  // this run had made it
  fs::create_directories(out_ / ".slipway-tmp-dead/m");
  Put(out_ / "mine.txt", "mine");
  {
    OutputFolder out = OutputFolder::Open(out_).value();
    StageCell(out, "a", "x");
  }
  EXPECT_THAT(Names(out_), ElementsAre("mine.txt"));  // what a killed run had left is gone too
}

TEST_F(OutputFolderTest, FullDiskChangesNothing) {
  const SmallDisk disk(out_, 64);
  {
    OutputFolder out = OutputFolder::Open(out_).value();
    StageCell(out, "a", "old");
    ASSERT_TRUE(out.Publish(std::vector<PublishedCell>{{"m", "a", CellFate::kKept}}, "1").ok());
  }
  {
    OutputFolder out = OutputFolder::Open(out_).value();
    StageCell(out, "a", "new");
    const absl::Status full =
        out.Publish(std::vector<PublishedCell>{{"m", "a", CellFate::kKept}}, std::string(100'000, 'x'));
    EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  }
  EXPECT_EQ(ReadAll(out_ / "m/a/m.onnx"), "old");
  EXPECT_EQ(ReadAll(out_ / "manifest.json"), "1");
  EXPECT_THAT(Names(out_), ElementsAre("m", "manifest.json"));
}

}  // namespace
}  // namespace slipway
