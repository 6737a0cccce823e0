// What a kept result depends on, and that only whole ones are used.
#include "worker/daemon/action_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "common/base/error.h"
#include "common/store/cached_store.h"
#include "common/store/layout.h"
#include "tests/worker/support.h"
#include "worker/daemon/capabilities.h"
#include "worker/pipeline/emitted.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

TaskMessage Cell() {
  TaskMessage message;
  message.model = {"net", "onnx", "", {{"models/net.onnx", "", Digest::Of("net")}}};
  message.task = {SpecTask::Kind::kCell, 0, "tflite", "fp32", 0};
  message.reference = Digest::Of("reference");
  return message;
}

TEST(ActionKeysTest, WhatChangesTheArtifactChangesBothKeys) {
  const ActionKeys keys = KeysOf(Cell(), "numpy-2");
  const std::function<void(TaskMessage&)> changes[] = {
      [](TaskMessage& task) { task.model.name = "other"; },
      [](TaskMessage& task) { task.model.kind = "checkpoint"; },
      [](TaskMessage& task) { task.model.architecture = "resnet18"; },
      [](TaskMessage& task) { task.model.files[0].digest = Digest::Of("other"); },
      [](TaskMessage& task) { task.model.files[0].name = "weights.bin"; },
      [](TaskMessage& task) { task.options.opset = 18; },
      [](TaskMessage& task) { task.options.interface.softmax = true; },
      [](TaskMessage& task) {
        task.options.interface.shapes["x"] = {1, 3};
      },
      [](TaskMessage& task) { task.options.seed = 1; },
      [](TaskMessage& task) { task.task.target = "ncnn"; },
      [](TaskMessage& task) { task.task.precision = "fp16"; },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    TaskMessage changed = Cell();
    changes[i](changed);
    const ActionKeys others = KeysOf(changed, "numpy-2");
    EXPECT_NE(others.artifact, keys.artifact) << i;
    EXPECT_NE(others.result, keys.result) << i;
  }
}

TEST(ActionKeysTest, WhatOnlyProvesChangesTheResultsKeyAlone) {
  const ActionKeys keys = KeysOf(Cell(), "numpy-2");
  const std::function<void(TaskMessage&)> changes[] = {[](TaskMessage& task) { task.options.tolerance = 1e-3; },
                                                       [](TaskMessage& task) { task.options.samples = 9; },
                                                       [](TaskMessage& task) { task.options.verify = false; },
                                                       [](TaskMessage& task) { task.reference = Digest::Of("other"); }};
  for (size_t i = 0; i < std::size(changes); ++i) {
    TaskMessage changed = Cell();
    changes[i](changed);
    EXPECT_EQ(KeysOf(changed, "numpy-2").artifact, keys.artifact) << i;
    EXPECT_NE(KeysOf(changed, "numpy-2").result, keys.result) << i;
  }
  EXPECT_EQ(KeysOf(Cell(), "numpy-3").artifact, keys.artifact);
  EXPECT_NE(KeysOf(Cell(), "numpy-3").result, keys.result);
}

TEST(ActionKeysTest, WhereTheUserKeepsTheFileMattersToPrepareAlone) {
  TaskMessage cell = Cell(), moved = Cell();
  moved.model.files[0].path = "elsewhere/net.onnx";
  moved.task.prepare = 7;  // and which task of its request prepared it to nobody
  EXPECT_EQ(KeysOf(moved, "").result, KeysOf(cell, "").result);
  cell.task.kind = moved.task.kind = SpecTask::Kind::kPrepare;
  EXPECT_NE(KeysOf(moved, "").result, KeysOf(cell, "").result);
  EXPECT_FALSE(KeysOf(moved, "").artifact.has_value());
}

TEST(ActionCacheTest, FaultsAndMissingJudgesDoNotLast) {
  TaskMessage task = Cell();
  EXPECT_TRUE(IsLasting(task, {.state = "passed"}));
  EXPECT_TRUE(IsLasting(task, {.state = "parity_failed"}));
  EXPECT_FALSE(IsLasting(task, {.state = "failed"}));
  EXPECT_FALSE(IsLasting(task, {.state = "unverified", .entry = R"({"parity":{"verdict":"not_run"}})"}));
  EXPECT_TRUE(IsLasting(task, {.state = "unverified", .entry = R"({"parity":{"verdict":"not_discriminating"}})"}));
  task.task.kind = SpecTask::Kind::kPrepare;
  EXPECT_TRUE(IsLasting(task, {.state = "passed", .reference = "reference.bundle"}));
  EXPECT_FALSE(IsLasting(task, {.state = "passed"}));  // no calculator here
  task.options.verify = false;
  EXPECT_TRUE(IsLasting(task, {.state = "passed"}));
}

TEST(ActionCacheTest, RuntimesAreThoseOfTheInterpreter) {
  const TemporaryFolder folder = *TemporaryFolder::Create("/tmp", "runtimes-");
  for (const char* package : {"onnxruntime-1.31.1.dist-info", "numpy-2.1.dist-info", "requests-2.dist-info", "numpy"})
    fs::create_directories(folder.path() / "lib/python3.11/site-packages" / package);
  fs::create_directories(folder.path() / "bin");
  EXPECT_EQ(RuntimesOf(folder.path() / "bin/python"), "numpy-2.1.dist-info\nonnxruntime-1.31.1.dist-info\n");
  EXPECT_EQ(RuntimesOf("/nonexistent/bin/python"), "");
  EXPECT_THAT(JudgesOf(RuntimesOf(folder.path() / "bin/python")), testing::ElementsAre("onnxruntime"));
  // The tests' own has them all.
  EXPECT_EQ(std::ranges::count(RuntimesOf(TestPython()), '\n'), 4);
  EXPECT_THAT(JudgesOf(RuntimesOf(TestPython())), testing::UnorderedElementsAre("onnxruntime", "litert", "ncnn"));
  EXPECT_THAT(JudgesOf("ncnn-1.dist-info\nonnxruntime-1.dist-info\n"), testing::IsEmpty()) << "no host without numpy";
  EXPECT_THAT(JudgesOf(""), testing::IsEmpty());
}

TEST(ActionCacheTest, OnlyWholeResultsAreFound) {
  const TemporaryFolder folder = *TemporaryFolder::Create("/tmp", "actions-");
  const auto open = [&] { return *OpenLocalStore({.root = folder.path(), .ephemeral = true}); };
  const auto store = open();
  ActionCache cache(*store);
  const Digest key = Digest::Of("key");
  EXPECT_FALSE(cache.Find("default", key));
  TaskResult result{.entry = "{}"};
  result.files = {{"net.tflite", *WriteBlob(*store, "default", "artifact")}};
  result.parity = *WriteBlob(*store, "default", "figures");
  const Digest digest = *WriteBlob(*store, "default", result.ToJson());
  cache.Keep("default", key, digest);
  const auto found = cache.Find("default", key);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->digest, digest);
  EXPECT_EQ(found->result.files[0].path, "net.tflite");
  EXPECT_FALSE(cache.Find("alice", key));

  // Damaged by another process, in the size it had: found out, dropped.
  const fs::path artifact = folder.path() / BlobKey("default", result.files[0].digest);
  fs::permissions(artifact, fs::perms::owner_write, fs::perm_options::add);
  std::ofstream(artifact) << "artefact";
  const auto reopened = open();
  EXPECT_FALSE(ActionCache(*reopened).Find("default", key));
  EXPECT_FALSE(fs::exists(artifact));
  ASSERT_TRUE(WriteBlob(*store, "default", "artifact").ok());
  EXPECT_TRUE(cache.Find("default", key));
  fs::remove(folder.path() / BlobKey("default", *result.parity));
  EXPECT_FALSE(cache.Find("default", key));
}

// A worker's copies of a bucket's blobs outlive them.
TEST(ActionCacheTest, WhatTheStoreHasLostIsNotFoundThoughALocalCopyIsThere) {
  const TemporaryFolder folder = *TemporaryFolder::Create("/tmp", "actions-");
  const auto store =
      *OpenCachedStore({.root = folder.path() / "cache"}, *OpenLocalStore({folder.path() / "store", true}));
  ActionCache cache(*store);
  const Digest key = Digest::Of("key");
  TaskResult result{.entry = "{}"};
  result.files = {{"net.tflite", *WriteBlob(*store, "default", "artifact")}};
  cache.Keep("default", key, *WriteBlob(*store, "default", result.ToJson()));
  EXPECT_TRUE(cache.Find("default", key));
  fs::remove(folder.path() / "store" / BlobKey("default", result.files[0].digest));
  ASSERT_TRUE(store->OpenLocal("default", result.files[0].digest).ok()) << "the copy";
  EXPECT_FALSE(cache.Find("default", key));
}

TEST(ActionCacheTest, OneTaskWorksAtAKeyAtATime) {
  const TemporaryFolder folder = *TemporaryFolder::Create("/tmp", "actions-");
  const auto store = *OpenLocalStore({.root = folder.path(), .ephemeral = true});
  ActionCache cache(*store);
  const auto never = [] { return false; };
  std::optional<ActionCache::Turn> first = cache.Await("default", Digest::Of("key"), never);
  EXPECT_TRUE(cache.Await("default", Digest::Of("other"), never));
  EXPECT_TRUE(cache.Await("alice", Digest::Of("key"), never));
  EXPECT_FALSE(cache.Await("default", Digest::Of("key"), [] { return true; }));
  std::atomic<bool> ended = false, waited = false;
  std::thread second([&] {
    const auto turn = cache.Await("default", Digest::Of("key"), [&] {
      waited = true;
      return false;
    });
    EXPECT_TRUE(ended);
  });
  EXPECT_TRUE(Holds([&] { return waited.load(); }));
  ended = true;
  first.reset();
  second.join();
  EXPECT_TRUE(cache.Await("default", Digest::Of("key"), never));
}

TEST(EmittedTest, ComesBackAsItWas) {
  Emitted emitted;
  emitted.path = "net.mlpackage";
  emitted.files = {"net.mlpackage/Manifest.json", "net.mlpackage/Data/weights.bin"};
  emitted.io.inputs = {{"image", "x:0", {1, -1, 224, 3}, DataType::kUInt8, "NHWC", {0, 2, 3, 1}, -1}};
  emitted.io.outputs = {{"y", "out\"put\n", {10}, DataType::kInt64, "", {}, 0}};
  emitted.values = {{"t1", {"conv", {0, 2, 3, 1}, {0.1f, -3e-38f, 1.0f / 3}, 3}, 0}, {"t2", {"relu", {}, {}, 1}, -1}};
  emitted.requires_runtime = "iOS 15";
  const Emitted back = *ParseEmitted(EmittedText(emitted));
  EXPECT_EQ(EmittedText(back), EmittedText(emitted));
  EXPECT_EQ(back.files, emitted.files);
  EXPECT_EQ(back.io.inputs[0].shape, emitted.io.inputs[0].shape);
  EXPECT_EQ(back.io.inputs[0].type, DataType::kUInt8);
  EXPECT_EQ(back.io.inputs[0].permutation, emitted.io.inputs[0].permutation);
  EXPECT_EQ(back.io.outputs[0].source, "out\"put\n");
  EXPECT_EQ(back.io.outputs[0].dropped_axis, 0);
  EXPECT_EQ(back.values[0].origin.channel_scale, emitted.values[0].origin.channel_scale);
  EXPECT_EQ(back.values[0].origin.channel_axis, 3);
  EXPECT_EQ(back.requires_runtime, "iOS 15");
  EXPECT_EQ(ParseEmitted("{}").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParseEmitted(EmittedText(emitted).substr(1)).status().code(), absl::StatusCode::kDataLoss);
  emitted.path = "\xff";
  EXPECT_EQ(EmittedText(emitted), "");
}

}  // namespace
}  // namespace slipway
