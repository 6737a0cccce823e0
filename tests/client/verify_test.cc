// slipway verify: offline, every hash and size.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/manifest/manifest.h"
#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() : out_(box_.work() / "out") {
    box_.File("out/m/onnx-fp32/m.onnx", "weights");
    box_.File("out/m/onnx-fp32/data/w.bin", "more weights");
    box_.File("out/m/onnx-fp32/parity.json", "{}");
    Manifest manifest{.version = "1.0.0", .request_id = "0-1", .reproduce = "slipway export m.onnx"};
    manifest.models.push_back({.name = "m", .kind = "onnx"});
    manifest.models[0].artifacts.push_back(
        {.target = "onnx",
         .precision = "fp32",
         .status = "passed",
         .entry = R"({"path":"m.onnx"})",
         .folder = "m/onnx-fp32",
         .files = {{"m.onnx", Digest::Of("weights")}, {"data/w.bin", Digest::Of("more weights")}}});
    manifest.models[0].artifacts.push_back(
        {.target = "ncnn", .precision = "fp32", .status = "cancelled", .reason = "by the user"});
    box_.File("out/manifest.json", manifest.ToJson("").value());
  }

  void ExpectProblem(const std::string& line) {
    const Ended ended = box_.Run({"verify", "out"});
    EXPECT_EQ(ended.code, 1) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr(line));
  }
  Sandbox box_;
  fs::path out_;
};

TEST_F(VerifyTest, Good) {
  const Ended ended = box_.Run({"verify", "out"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("2 files of 1 artifacts"));
  const Ended events = box_.Run({"verify", "out", "--json"});
  EXPECT_EQ(nlohmann::json::parse(events.out)["files"], 2);
}

TEST_F(VerifyTest, ChangedByteOfTheSameSize) {
  box_.File("out/m/onnx-fp32/m.onnx", "wEights");
  ExpectProblem("m/onnx-fp32/m.onnx: has SHA-256 ");
}

TEST_F(VerifyTest, ChangedSize) {
  box_.File("out/m/onnx-fp32/data/w.bin", "more");
  ExpectProblem("m/onnx-fp32/data/w.bin: has 4 bytes, the manifest says 12");
}

TEST_F(VerifyTest, MissingFile) {
  fs::remove(out_ / "m/onnx-fp32/data/w.bin");
  ExpectProblem("m/onnx-fp32/data/w.bin: missing");
}

TEST_F(VerifyTest, ExtraFile) {
  box_.File("out/m/onnx-fp32/data/extra", "x");
  ExpectProblem("m/onnx-fp32/data/extra: is not in the manifest");
}

TEST_F(VerifyTest, ArtifactThatWasRejectedEarlier) {
  box_.File("out/m/onnx-fp32.rejected/m.onnx", "x");
  ExpectProblem("m/onnx-fp32.rejected/m.onnx: is not in the manifest");
}

TEST_F(VerifyTest, CancelledCellsKeepWhatWasThere) {
  box_.File("out/m/ncnn-fp32/m.param", "from an earlier run");
  EXPECT_EQ(box_.Run({"verify", "out"}).code, 0);
}

TEST_F(VerifyTest, PathsThatLeaveTheFolder) {
  nlohmann::json manifest = nlohmann::json::parse(ReadAll(out_ / "manifest.json"));
  manifest["models"][0]["artifacts"][0]["files"][0]["path"] = "../../../../../../etc/hostname";
  box_.File("out/manifest.json", manifest.dump());
  ExpectProblem("leads out of the folder");
}

TEST_F(VerifyTest, NoManifest) {
  fs::remove(out_ / "manifest.json");
  EXPECT_EQ(box_.Run({"verify", "out"}).code, 2);
  box_.File("out/manifest.json", "{\"schema\":");
  const Ended damaged = box_.Run({"verify", "out"});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("is no manifest"));
}

}  // namespace
}  // namespace slipway
