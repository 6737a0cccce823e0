// The embedded farm's cache: what one run made the next one takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/digest.h"
#include "common/store/layout.h"
#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

class CacheTest : public testing::Test {
 protected:
  // Target → whether its artifact came from the cache, of an export that passes. With `more` flags.
  std::map<std::string, bool> Hits(const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "export", "mtcnn-pnet@" + Weights("pnet"), "--target", "onnx,ncnn,tflite", "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended ended = box_.Run(arguments);
    EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
    EXPECT_THAT(box_.Leftovers(), IsEmpty());
    EXPECT_EQ(box_.Run({"verify", out}).code, 0);
    const std::string text = ReadAll(box_.work() / out / "manifest.json");
    EXPECT_THAT(SchemaErrors(text), IsEmpty());
    std::map<std::string, bool> hits;
    const json manifest = json::parse(text);
    for (const json& artifact : manifest["models"][0]["artifacts"]) {
      hits[artifact["target"]] = artifact["cache_hit"];
      EXPECT_EQ(artifact["status"], "passed");
      EXPECT_EQ(artifact["parity"]["verdict"], "passed");
    }
    return hits;
  }
  fs::path Artifact(const std::string& out) const { return box_.work() / out / "pnet/ncnn-fp32/pnet.bin"; }

  const std::map<std::string, bool> none_ = {{"onnx", false}, {"ncnn", false}, {"tflite", false}};
  const std::map<std::string, bool> all_ = {{"onnx", true}, {"ncnn", true}, {"tflite", true}};
  Sandbox box_;
};

TEST_F(CacheTest, TheSecondRunConvertsNothing) {
  EXPECT_EQ(Hits("first"), none_);
  EXPECT_EQ(Hits("second"), all_);
  EXPECT_EQ(ReadAll(Artifact("second")), ReadAll(Artifact("first")));
  EXPECT_EQ(Hits("third", {"--no-cache"}), none_);
  EXPECT_EQ(Hits("fourth", {"--fresh"}), none_);
  EXPECT_EQ(ReadAll(Artifact("third")), ReadAll(Artifact("first")));
}

// Other gates: judged anew, not made anew.
TEST_F(CacheTest, AnotherToleranceNeedsNoConversion) {
  EXPECT_EQ(Hits("first"), none_);
  EXPECT_EQ(Hits("second", {"--tolerance", "1e-3"}), all_);
  const auto figures = [&](const std::string& out) {
    return json::parse(ReadAll(box_.work() / out / "pnet/ncnn-fp32/parity.json"))["runs"][0]["outputs"];
  };
  const json before = figures("first"), after = figures("second");
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i]["l_inf"], after[i]["l_inf"]);
}

TEST_F(CacheTest, ADamagedBlobIsMadeAgain) {
  const fs::path cache = box_.work() / "my cache";
  EXPECT_EQ(Hits("first", {"--cache-dir", cache.string()}), none_);
  const Digest digest = Digest::Of(ReadAll(Artifact("first")));
  const fs::path blob = cache / "store" / BlobKey("default", digest);
  fs::permissions(blob, fs::perms::owner_write, fs::perm_options::add);
  std::fstream(blob, std::ios::in | std::ios::out | std::ios::binary) << "#";
  EXPECT_EQ(Hits("second", {"--cache-dir", cache.string()}),
            (std::map<std::string, bool>{{"onnx", true}, {"ncnn", false}, {"tflite", true}}));
  EXPECT_EQ(ReadAll(Artifact("second")), ReadAll(Artifact("first")));
  EXPECT_EQ(ReadAll(blob), ReadAll(Artifact("first")));
}

TEST_F(CacheTest, TwoRunsSideBySideShareIt) {
  const std::vector<std::string> arguments = {"export", "mtcnn-pnet@" + Weights("pnet"), "--target", "onnx,ncnn"};
  const auto with_out = [&](const std::string& out) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"--out", out});
    return all;
  };
  const auto first = box_.Start(with_out("first")), second = box_.Start(with_out("second"));
  EXPECT_EQ(first->Wait().code, 0);
  EXPECT_EQ(second->Wait().code, 0);
  EXPECT_EQ(ReadAll(Artifact("second")), ReadAll(Artifact("first")));
  EXPECT_EQ(box_.Run({"verify", "second"}).code, 0);
}

TEST_F(CacheTest, AFolderThatCannotBeIsNamed) {
  box_.File("file", "");
  const Ended ended = box_.Run({"export", "lite", "--dummy", "--cache-dir", "file/below"});
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.err, HasSubstr("--cache-dir file/below"));
  // By default it is done without.
  EXPECT_EQ(
      box_.Run({"export", "lite", "--dummy", "--target", "onnx"}, {{"XDG_CACHE_HOME", (box_.work() / "file").string()}})
          .code,
      0);
}

}  // namespace
}  // namespace slipway
