#include "common/manifest/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/command.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::IsEmpty;
using testing::Not;

constexpr char kTensor[] =
    R"({"name":"x","source":"x","shape":[1,-1],"dtype":"float32","layout":null,"permutation":[0,1],"dropped_axis":null,"quantization":null})";

std::string PassedEntry() {
  const std::string io = std::string(R"({"inputs":[)") + kTensor + R"(],"outputs":[)" + kTensor + "]}";
  return R"({"path":"m.onnx","precision":"fp32","io_schema":)" + io +
         R"(,"build":"0123","timings_ms":{"convert":1.5},"jail":"partial","parity":{"verdict":"passed","samples":2,"thresholds":{},"runs":[
             {"verified_by":{"name":"onnxruntime","version":"1","kind":"runtime","configuration":"default level"},"verdict":"passed","outputs":[
              {"name":"x","role":"output","l_inf":1e-7,"l_inf_scaled":1e-7,"p999":0,"mean_abs":0,"rmse":0,"cosine":1,"snr_db":null,"agreement":null}]}]}})";
}

ManifestArtifact Passed(const std::string& target) {
  return {.target = target,
          .precision = "fp32",
          .backend = target,
          .status = "passed",
          .entry = PassedEntry(),
          .folder = "m/" + target + "-fp32",
          .files = {{"m.onnx", Digest::Of("bytes")}},
          .attempts = 1,
          .worker = "w1",
          .reproduce = "slipway export m.onnx --target " + target};
}

ManifestArtifact Ended(const std::string& target, const std::string& status, const std::string& reason) {
  return {.target = target,
          .precision = "fp32",
          .backend = target,
          .status = status,
          .reason = reason,
          .reproduce = "slipway export m.onnx"};
}

Manifest With(std::vector<ManifestArtifact> artifacts, const std::string& request = "0-1",
              const std::string& model = "m") {
  Manifest manifest{.version = "1.0.0",
                    .request_id = request,
                    .created = absl::FromUnixSeconds(0),
                    .reproduce = "slipway export m.onnx"};
  manifest.models.push_back({.name = model,
                             .kind = "onnx",
                             .sources = {{"../m.onnx", Digest::Of("source")}},
                             .entry = R"({"source":{"opset":17},"reference":"onnxruntime on the source file"})",
                             .artifacts = std::move(artifacts)});
  return manifest;
}

TEST(ManifestTest, EveryFieldIsThereAndFitsTheSchema) {
  const std::string text =
      With({Passed("onnx"), Ended("tflite", "failed", "no\nsuch op "), Ended("ncnn", "cancelled", "by the user")})
          .ToJson("")
          .value();
  EXPECT_THAT(SchemaErrors(text), IsEmpty());
  const json manifest = json::parse(text);
  EXPECT_EQ(manifest["created"], "1970-01-01T00:00:00Z");
  const json& model = manifest["models"][0];
  EXPECT_EQ(model["source"]["opset"], 17);
  EXPECT_EQ(model["source"]["files"][0]["path"], "../m.onnx");
  const json& passed = model["artifacts"][0];
  EXPECT_EQ(passed["path"], "m/onnx-fp32/m.onnx");
  EXPECT_EQ(passed["files"][0]["path"], "m/onnx-fp32/m.onnx");
  // printf bytes | sha256sum
  EXPECT_EQ(passed["files"][0]["sha256"], "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
  EXPECT_EQ(passed["files"][0]["bytes"], 5);
  EXPECT_TRUE(passed["reason"].is_null());
  EXPECT_TRUE(passed["expected_speedup_m1"].is_null());
  const json& failed = model["artifacts"][1];
  EXPECT_EQ(failed["reason"], "no such op");
  EXPECT_TRUE(failed["path"].is_null());
  EXPECT_THAT(failed["files"], IsEmpty());
  EXPECT_TRUE(failed["worker"].is_null());
}

// The schema is worth something only if it refuses what the contract forbids.
TEST(ManifestTest, SchemaRefusesWhatTheContractForbids) {
  const json good = json::parse(With({Passed("onnx")}).ToJson("").value());
  const auto artifact = "/models/0/artifacts/0";
  const std::vector<std::pair<std::string, json>> wrong = {
      {"/schema", "slipway.manifest/2"},
      {"/request_id", 7},
      {std::string(artifact) + "/status", "fine"},
      {std::string(artifact) + "/status", "failed"},         // with files
      {std::string(artifact) + "/status", "unverified"},     // without a reason
      {std::string(artifact) + "/status", "parity_failed"},  // outside .rejected/
      {std::string(artifact) + "/reason", "because"},        // of a passed cell
      {std::string(artifact) + "/files", json::array()},
      {std::string(artifact) + "/files/0/path", "/etc/passwd"},
      {std::string(artifact) + "/files/0/path", "m/../../passwd"},
      {std::string(artifact) + "/files/0/sha256", "ABC"},
      {std::string(artifact) + "/files/0/bytes", -1},
      {std::string(artifact) + "/parity/verdict", "failed"},
      {std::string(artifact) + "/parity/runs/0/verified_by/kind", "guess"},
      {std::string(artifact) + "/parity/runs/0/outputs/0/role", "input"},
      {std::string(artifact) + "/io_schema/inputs/0/dtype", "float"},
      {std::string(artifact) + "/io_schema/inputs/0/shape/1", -2},
      {std::string(artifact) + "/jail", "half"},
      {std::string(artifact) + "/ane_op_coverage_pct", 101},
      {std::string(artifact) + "/reproduce", "rm -rf ."},
  };
  for (const auto& [pointer, value] : wrong) {
    json bad = good;
    bad[json::json_pointer(pointer)] = value;
    EXPECT_THAT(SchemaErrors(bad.dump()), Not(IsEmpty())) << pointer << " = " << value;
  }
  for (const auto& [name, value] : good["models"][0]["artifacts"][0].items()) {
    json bad = good;
    bad["models"][0]["artifacts"][0].erase(name);
    EXPECT_THAT(SchemaErrors(bad.dump()), Not(IsEmpty())) << "without " << name;
  }
}

TEST(ManifestTest, EarlierCellsStayWithTheirRequest) {
  const std::string first = With({Passed("onnx"), Passed("ncnn")}, "0-first").ToJson("").value();
  const std::string other = With({Passed("onnx")}, "0-other", "other").ToJson(first).value();
  const std::string text = With({Ended("onnx", "failed", "no")}, "0-second").ToJson(other).value();
  EXPECT_THAT(SchemaErrors(text), IsEmpty());
  const json manifest = json::parse(text);
  EXPECT_EQ(manifest["request_id"], "0-second");
  ASSERT_EQ(manifest["models"].size(), 2u);
  const json& artifacts = manifest["models"][0]["artifacts"];
  ASSERT_EQ(artifacts.size(), 2u);
  EXPECT_EQ(artifacts[0]["status"], "failed");
  EXPECT_FALSE(artifacts[0].contains("from"));
  EXPECT_EQ(artifacts[1]["target"], "ncnn");
  EXPECT_EQ(artifacts[1]["status"], "passed");
  EXPECT_EQ(artifacts[1]["from"], "0-first");  // not the request in between
  EXPECT_EQ(manifest["models"][1]["model"], "other");
  EXPECT_EQ(manifest["models"][1]["artifacts"][0]["from"], "0-other");
}

TEST(ManifestTest, WhatIsNoManifestIsRefusedAsEarlier) {
  for (const char* earlier :
       {"[]", "{", R"({"schema":"slipway.manifest/2","models":[]})", R"({"schema":"slipway.manifest/1"})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(With({Passed("onnx")}).ToJson(earlier).status())) << earlier;
  }
  // Damaged parts of one are left behind, not fatal.
  EXPECT_TRUE(With({Passed("onnx")})
                  .ToJson(R"({"schema":"slipway.manifest/1","models":[7,{"model":"m","artifacts":[7,{"target":1}]}]})")
                  .ok());
}

}  // namespace
}  // namespace slipway
