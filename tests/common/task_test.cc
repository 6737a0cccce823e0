#include "common/task/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/error.h"

namespace slipway {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

RequestSpec ExampleSpec() {
  RequestSpec spec;
  spec.models = {{"pnet", "checkpoint", "mtcnn-pnet", {{"weights/pnet.pt", "", Digest::Of("weights")}}},
                 {"b", "onnx", "", {{"b.onnx", "", Digest::Of("b")}, {"b.data", "data/b.data", Digest::Of("data")}}}};
  spec.options.interface.shapes = {{"input", {1, 3, 224, 224}}};
  spec.options.interface.fix = {{"threshold", {0.1}}};
  spec.options.interface.cut_inputs = {"a/b"};
  spec.options.interface.cut_outputs = {"c", "d"};
  spec.options.interface.mean = {0.485, 0.456, 0.406};
  spec.options.interface.std = {0.229};
  spec.options.interface.scale = 1.0 / 255;
  spec.options.interface.softmax = true;
  spec.options.interface.input_names = {"image"};
  spec.options.interface.output_names = {"probs"};
  spec.options.interface.channels_last = true;
  spec.options.interface.labels = {"cat", "dog"};
  spec.options.interface.labels_file = "pets.txt";
  spec.options.opset = 19;
  spec.options.samples = 4;
  spec.options.seed = std::numeric_limits<uint64_t>::max();
  spec.options.verify = false;
  spec.options.tolerance = 1e-3;
  spec.options.num_classes = 12;
  spec.options.input_size = 192;
  spec.tasks = {{SpecTask::Kind::kPrepare, 0, "", "", -1},
                {SpecTask::Kind::kCell, 0, "tflite", "fp32", 0},
                {SpecTask::Kind::kCell, 1, "onnx", "int8", -1}};
  return spec;
}

TEST(RequestSpec, ComesBackFromJson) {
  RequestSpec spec = ExampleSpec();
  std::string text = spec.ToJson();
  RequestSpec read = RequestSpec::FromJson(text).value();
  EXPECT_EQ(read.ToJson(), text);
  ASSERT_EQ(read.models.size(), 2u);
  EXPECT_EQ(read.models[0].name, "pnet");
  EXPECT_EQ(read.models[0].architecture, "mtcnn-pnet");
  EXPECT_EQ(read.models[1].files[1].name, "data/b.data");
  EXPECT_EQ(read.models[1].files[1].digest, Digest::Of("data"));
  EXPECT_EQ(read.options.interface.shapes, spec.options.interface.shapes);
  EXPECT_EQ(read.options.interface.fix, spec.options.interface.fix);
  EXPECT_EQ(read.options.interface.cut_inputs, spec.options.interface.cut_inputs);
  EXPECT_EQ(read.options.interface.cut_outputs, spec.options.interface.cut_outputs);
  EXPECT_EQ(read.options.interface.mean, spec.options.interface.mean);
  EXPECT_EQ(read.options.interface.std, spec.options.interface.std);
  EXPECT_EQ(read.options.interface.scale, 1.0 / 255);
  EXPECT_TRUE(read.options.interface.softmax);
  EXPECT_EQ(read.options.interface.input_names, spec.options.interface.input_names);
  EXPECT_EQ(read.options.interface.output_names, spec.options.interface.output_names);
  EXPECT_TRUE(read.options.interface.channels_last);
  EXPECT_EQ(read.options.interface.labels, spec.options.interface.labels);
  EXPECT_EQ(read.options.interface.labels_file, "pets.txt");
  EXPECT_EQ(read.options.opset, 19);
  EXPECT_EQ(read.options.samples, 4);
  EXPECT_EQ(read.options.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(read.options.verify);
  EXPECT_EQ(read.options.tolerance, 1e-3);
  EXPECT_EQ(read.options.num_classes, 12);
  EXPECT_EQ(read.options.input_size, 192);
  ASSERT_EQ(read.tasks.size(), 3u);
  EXPECT_EQ(read.tasks[0].kind, SpecTask::Kind::kPrepare);
  EXPECT_EQ(read.tasks[1].kind, SpecTask::Kind::kCell);
  EXPECT_EQ(read.tasks[1].target, "tflite");
  EXPECT_EQ(read.tasks[1].precision, "fp32");
  EXPECT_EQ(read.tasks[1].prepare, 0);
  EXPECT_EQ(read.tasks[2].model, 1u);
  EXPECT_EQ(read.tasks[2].prepare, -1);
  spec.options.tolerance.reset();
  EXPECT_EQ(RequestSpec::FromJson(spec.ToJson()).value().options.tolerance, std::nullopt);
}

TEST(RequestSpec, HasItsSchemaAndSortedKeys) {
  EXPECT_THAT(ExampleSpec().ToJson(), HasSubstr(R"("schema":"slipway.request/1")"));
  EXPECT_EQ(ExampleSpec().ToJson(), json::parse(ExampleSpec().ToJson()).dump());
  RequestSpec fresh = ExampleSpec();
  fresh.fresh = true;
  EXPECT_EQ(fresh.ToJson(), json::parse(fresh.ToJson()).dump());
  EXPECT_EQ(RequestSpec().ToJson(), json::parse(RequestSpec().ToJson()).dump());
}

struct BadSpec {
  const char* patch;    // RFC 6902
  const char* message;  // part of it
};

TEST(RequestSpec, BadFieldsAreRefusedByName) {
  const BadSpec cases[] = {
      {R"([{"op":"remove","path":"/schema"}])", "schema"},
      {R"([{"op":"remove","path":"/models"}])", "models"},
      {R"([{"op":"replace","path":"/models","value":{}}])", "models must be an array"},
      {R"([{"op":"add","path":"/surprise","value":1}])", "surprise"},
      {R"([{"op":"add","path":"/options/surprise","value":1}])", "options.surprise"},
      {R"([{"op":"replace","path":"/models/0/name","value":"../x"}])", "models[0].name"},
      {R"([{"op":"replace","path":"/models/0/name","value":".."}])", "models[0].name"},
      {R"([{"op":"replace","path":"/models/0/name","value":"b"}])", "two are named"},
      {R"([{"op":"replace","path":"/models/0/kind","value":"torch"}])", "models[0].kind"},
      {R"([{"op":"replace","path":"/models/0/files/0/digest","value":"abc"}])", "models[0].files[0].digest"},
      {R"([{"op":"replace","path":"/models/1/files/1/name","value":"../../etc/passwd"}])", "models[1].files[1].name"},
      {R"([{"op":"replace","path":"/options/opset","value":17.5}])", "options.opset"},
      {R"([{"op":"replace","path":"/options/opset","value":99999999999}])", "options.opset"},
      {R"([{"op":"replace","path":"/options/samples","value":0}])", "options.samples"},
      {R"([{"op":"replace","path":"/options/seed","value":-1}])", "options.seed"},
      {R"([{"op":"replace","path":"/options/verify","value":"yes"}])", "options.verify"},
      {R"([{"op":"replace","path":"/options/tolerance","value":-1}])", "options.tolerance"},
      {R"([{"op":"replace","path":"/options/tolerance","value":"1"}])", "options.tolerance"},
      {R"([{"op":"replace","path":"/options/interface/shapes/input","value":[1,0]}])",
       "options.interface.shapes.input"},
      {R"([{"op":"replace","path":"/options/interface/shapes/input","value":[1,18446744073709551615]}])",
       "options.interface.shapes.input"},
      {R"([{"op":"replace","path":"/options/interface/fix/threshold","value":[]}])", "options.interface.fix.threshold"},
      {R"([{"op":"replace","path":"/options/interface/mean","value":["1"]}])", "options.interface.mean"},
      {R"([{"op":"replace","path":"/options/interface/std","value":[0]}])", "options.interface.std"},
      {R"([{"op":"replace","path":"/options/interface/scale","value":-1}])", "options.interface.scale"},
      {R"([{"op":"replace","path":"/options/interface/cut_outputs","value":[""]}])", "options.interface.cut_outputs"},
      {R"([{"op":"replace","path":"/tasks/0/kind","value":"judge"}])", "tasks[0].kind"},
      {R"([{"op":"replace","path":"/tasks/0/model","value":2}])", "tasks[0].model"},
      {R"([{"op":"replace","path":"/tasks/0/model","value":-1}])", "tasks[0].model"},
      {R"([{"op":"replace","path":"/tasks/1/prepare","value":1}])", "tasks[1].prepare"},
      {R"([{"op":"replace","path":"/tasks/1/prepare","value":3}])", "tasks[1].prepare"},
      {R"([{"op":"replace","path":"/tasks/1/prepare","value":-2}])", "tasks[1].prepare"},
      {R"([{"op":"replace","path":"/tasks/1","value":7}])", "tasks[1] must be an object"},
  };
  for (const BadSpec& bad : cases) {
    json document = json::parse(ExampleSpec().ToJson()).patch(json::parse(bad.patch));
    absl::Status status = RequestSpec::FromJson(document.dump()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.patch;
    EXPECT_THAT(Message(status), HasSubstr(bad.message)) << bad.patch;
  }
}

// Workers leave it to those of that version, and the client is told.
TEST(RequestSpec, AnotherVersionsIsToldApart) {
  json document = json::parse(ExampleSpec().ToJson());
  document["schema"] = "slipway.request/2";
  document["unheard_of"] = true;
  const absl::Status status = RequestSpec::FromJson(document.dump()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("\"slipway.request/2\", this build knows \"slipway.request/1\""));
  document["schema"] = "slipway.result/1";
  EXPECT_EQ(RequestSpec::FromJson(document.dump()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RequestSpec, WhatIsNoJsonIsRefused) {
  std::string whole = ExampleSpec().ToJson();
  for (size_t length = 0; length < whole.size(); length += 7)
    EXPECT_EQ(RequestSpec::FromJson(whole.substr(0, length)).status().code(), absl::StatusCode::kInvalidArgument);
  for (std::string text : {std::string("[]"), std::string("null"), std::string("\xff\xfe"), std::string("{}"),
                           std::string(1'000'000, '['), whole + "}"})
    EXPECT_EQ(RequestSpec::FromJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text.substr(0, 20);
}

TEST(TaskResult, ComesBackFromJson) {
  TaskResult result;
  result.entry = R"({"status":"passed","figures":[1,2.5,null],"reason":"größer"})";
  result.files = {{"m.mlpackage/Data/weight.bin", Digest::Of("w")}, {"m.param", Digest::Of("p")}};
  result.parity = Digest::Of("parity");
  TaskResult read = TaskResult::FromJson(result.ToJson()).value();
  EXPECT_EQ(json::parse(read.entry), json::parse(result.entry));
  ASSERT_EQ(read.files.size(), 2u);
  EXPECT_EQ(read.files[0].path, "m.mlpackage/Data/weight.bin");
  EXPECT_EQ(read.files[1].digest, Digest::Of("p"));
  EXPECT_EQ(read.parity, Digest::Of("parity"));
  EXPECT_EQ(read.reference, std::nullopt);
  result.reference = Digest::Of("reference");
  EXPECT_EQ(TaskResult::FromJson(result.ToJson()).value().reference, Digest::Of("reference"));
}

TEST(TaskResult, FilesStayInsideTheirFolder) {
  for (const char* path : {"../x", "/etc/passwd", "", "a/../../b"}) {
    TaskResult result{.entry = "{}", .files = {{path, Digest::Of("x")}}, .parity = {}, .reference = {}};
    EXPECT_EQ(TaskResult::FromJson(result.ToJson()).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

TEST(TaskResult, AnEntryMustBeAnObject) {
  for (const char* entry : {"", "[]", "no JSON", "1"}) {
    TaskResult result{.entry = entry, .files = {}, .parity = {}, .reference = {}};
    EXPECT_EQ(TaskResult::FromJson(result.ToJson()).status().code(), absl::StatusCode::kInvalidArgument) << entry;
  }
}

TEST(TaskResult, DeepNestingIsRefused) {
  std::string text = R"({"schema":"slipway.result/1","files":[],"parity":null,"reference":null,"entry":)";
  for (int i = 0; i < 100'000; ++i) text += R"({"a":)";
  text += "1" + std::string(100'001, '}');
  EXPECT_EQ(TaskResult::FromJson(text).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace slipway
