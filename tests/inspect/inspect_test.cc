// slipway inspect: every format against what its own library says of the same file, and damaged files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/inspect/blocking.h"
#include "convert/inspect/local_source.h"
#include "convert/inspect/summary.h"
#include "convert/targets/convert.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const fs::path& Models() {
  static const testing::TorchOutput made("inspect_models.py", "SLIPWAY_PYTHON", {});
  return made.folder();
}

TemporaryFolder NewFolder() {
  auto folder = TemporaryFolder::Create("/tmp", "slipway-inspect-test-");
  if (!folder.ok()) std::abort();
  return *std::move(folder);
}

// small.onnx in every format.
const std::map<std::string, fs::path>& Artifacts() {
  static const TemporaryFolder folder = NewFolder();
  static const auto* const artifacts = [] {
    auto* made = new std::map<std::string, fs::path>();
    for (const char* name : {"onnx", "tflite", "coreml", "ncnn"}) {
      const auto source = LocalOnnxSource(Models() / "small.onnx");
      EXPECT_TRUE(source.ok()) << source.status();
      auto imported = Import(*source);
      EXPECT_TRUE(imported.ok()) << imported.status();
      const fs::path out = folder.path() / name;
      fs::create_directory(out);
      const auto emitted =
          ConvertTo(*FindTargetByName(name), std::move(imported->model.graph), {.model_name = "small"}, out);
      EXPECT_TRUE(emitted.ok()) << emitted.status();
      (*made)[name] = out / emitted->path;
    }
    return made;
  }();
  return *artifacts;
}

std::map<std::string, std::vector<std::string>> Interface(const std::vector<TensorSummary>& tensors) {
  std::map<std::string, std::vector<std::string>> shapes;
  for (const TensorSummary& tensor : tensors)
    shapes[tensor.name] = tensor.shape.value_or(std::vector<std::string>{"none"});
  return shapes;
}

class InspectFormat : public ::testing::TestWithParam<std::string> {};

TEST_P(InspectFormat, SaysWhatTheFormatsOwnLibrarySays) {
  const fs::path file = Artifacts().at(GetParam());
  const testing::TorchOutput judged("inspect_models.py", "SLIPWAY_PYTHON", {file.string()});
  const json& expected = judged.index()["files"][file.string()];
  const auto summary = Inspect(file);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->format, GetParam());
  EXPECT_EQ(json(summary->Operators()), expected["operators"]);
  EXPECT_FALSE(expected["inputs"].empty());
  for (const auto& [key, tensors] : {std::pair{"inputs", &summary->inputs}, {"outputs", &summary->outputs}}) {
    const auto interface = Interface(*tensors);
    EXPECT_EQ(interface.size(), expected[key].size());
    for (const auto& [name, shape] : expected[key].items()) {
      ASSERT_TRUE(interface.contains(name)) << name;
      std::vector<std::string> sizes;
      for (const json& size : shape) sizes.push_back(size.is_string() ? size.get<std::string>() : size.dump());
      if (!shape.is_null()) {
        EXPECT_EQ(interface.at(name), sizes) << name;
      }
    }
  }
  for (const auto& [type, elements] : expected["weights"].items()) {
    ASSERT_TRUE(summary->weights.contains(type)) << type;
    EXPECT_GE(summary->weights.at(type).elements, elements.get<int64_t>());
    EXPECT_LE(summary->weights.at(type).elements, elements.get<int64_t>() + 4);  // scalars that are no weights
  }
  // 8×3×3×3 + 8 + 4×8×3×3 + 5×4 + 5, and a bias of 4 where the format always has one.
  EXPECT_GE(summary->weights.at("float32").elements, 537);
  EXPECT_LE(summary->weights.at("float32").elements, 541 + 4);
  uint64_t bytes = 0;
  for (const FileSummary& one : summary->files) bytes += one.bytes;
  EXPECT_GE(bytes, 4 * 537u);
  EXPECT_THAT(summary->remarks, IsEmpty());
}

// Truncated anywhere or changed anywhere: a summary or an error, never a crash; truncation is never taken for the whole.
TEST_P(InspectFormat, DamagedFilesAreErrors) {
  const fs::path good = Artifacts().at(GetParam());
  const TemporaryFolder folder = NewFolder();
  fs::copy(good.parent_path(), folder.path(), fs::copy_options::recursive);
  const fs::path artifact = folder.path() / good.filename();
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const std::string whole = *ReadFile(file);
    const auto with = [&](const std::string& bytes) {
      std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
      return Inspect(artifact);
    };
    const size_t step = std::max<size_t>(1, whole.size() / 41);
    for (size_t cut = 0; cut + 64 < whole.size(); cut += step) {
      const auto damaged = with(whole.substr(0, cut));
      if (file.extension() == ".onnx" || file.extension() == ".mlmodel") continue;  // a prefix can be a message too
      EXPECT_FALSE(damaged.ok()) << file << " cut at " << cut;
    }
    for (size_t at = 0; at < whole.size(); at += std::max<size_t>(1, whole.size() / 120)) {
      for (const char flip : {'\x01', '\x80', '\xff'}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        const auto damaged = with(changed);
        EXPECT_TRUE(damaged.ok() || !Message(damaged.status()).empty());
      }
    }
    EXPECT_TRUE(with(whole).ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Inspect, InspectFormat, ::testing::Values("onnx", "tflite", "coreml", "ncnn"),
                         [](const auto& info) { return info.param; });

TEST(Inspect, ShowsModelsThatCannotBeConverted) {
  const auto summary = Inspect(Models() / "unknown.onnx");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_THAT(summary->Operators(),
              ::testing::IsSupersetOf({Pair("com.acme::Mystery", 1), Pair("org.example::Riddle", 1),
                                       Pair("com.acme::Enigma", 1), Pair("Nonesuch", 1)}));
  EXPECT_THAT(summary->facts, ::testing::IsSupersetOf({Pair("opset", "17"), Pair("opset of org.example", "2")}));
  EXPECT_EQ(summary->producer, "maker 1.5");
  EXPECT_THAT(*summary->inputs[0].shape, ElementsAre("batch", "3"));
  EXPECT_EQ(summary->inputs[1].type, "bool");
  for (const NodeSummary& node : summary->nodes) {
    if (node.op == "com.acme::Enigma") {
      EXPECT_EQ(node.inside, "choice.then_branch");
    }
  }
}

TEST(Inspect, InfersShapesThatTheFileDoesNotSay) {
  const auto summary = Inspect(Models() / "small.onnx");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->nodes[2].name, "conv2");
  EXPECT_THAT(*summary->nodes[2].outputs[0].shape, ElementsAre("1", "4", "14", "14"));
  EXPECT_EQ(summary->nodes[2].outputs[0].type, "float32");
}

TEST(Inspect, JsonIsStable) {
  const auto summary = Inspect(Models() / "small.onnx");
  ASSERT_TRUE(summary.ok());
  const json shown = json::parse(ToJson(*summary, true));
  EXPECT_EQ(shown["schema"], "slipway.inspect/1");
  EXPECT_EQ(shown["inputs"], json::parse(R"([{"name":"x","shape":[1,3,16,16],"dtype":"float32"}])"));
  EXPECT_EQ(shown["operators"]["Conv"], 2);
  EXPECT_EQ(shown["weights"], json::parse(R"([{"dtype":"float32","tensors":5,"elements":537,"bytes":2148}])"));
  EXPECT_EQ(shown["nodes"][1]["inputs"], json({"c"}));
  EXPECT_FALSE(json::parse(ToJson(*summary, false)).contains("nodes"));
}

TEST(Inspect, UnknownFilesAreErrors) {
  const TemporaryFolder folder = NewFolder();
  std::ofstream(folder.path() / "empty.onnx").flush();
  std::ofstream(folder.path() / "text.tflite") << "hello, this is no model";
  std::ofstream(folder.path() / "text.param") << "hello";
  for (const char* name : {"empty.onnx", "text.tflite", "text.param"}) {
    const auto summary = Inspect(folder.path() / name);
    ASSERT_FALSE(summary.ok()) << name;
    EXPECT_THAT(Message(summary.status()), HasSubstr(name));
  }
  EXPECT_TRUE(absl::IsNotFound(Inspect(folder.path() / "missing").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Inspect(folder.path()).status()));
}

TEST(Inspect, NcnnCountsHalfAndInt8Weights) {
  const TemporaryFolder folder = NewFolder();
  const fs::path param = folder.path() / "m.param";
  std::ofstream(param) << "7767517\n3 3\nInput in 0 1 x 0=4 1=4 2=1\nConvolution c 1 1 x y 0=2 1=1 5=1 6=2\n"
                          "InnerProduct f 1 1 y z 0=3 1=0 2=5\n";
  const auto put = [](std::string& bytes, uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(word >> shift);
  };
  std::string bin;
  put(bin, 0x01306B47);  // float16: 2 weights, 4 bytes
  put(bin, 0);
  put(bin, 0);  // bias: 2 of float32
  put(bin, 0);
  put(bin, 0x000D4B38);  // int8: 5 weights, padded to 8 bytes
  put(bin, 0);
  put(bin, 0);
  std::ofstream(folder.path() / "m.bin", std::ios::binary) << bin;
  auto summary = Inspect(param);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->weights.at("float16").elements, 2);
  EXPECT_EQ(summary->weights.at("float16").bytes, 4);
  EXPECT_EQ(summary->weights.at("float32").elements, 2);
  EXPECT_EQ(summary->weights.at("int8").elements, 5);
  EXPECT_THAT(summary->remarks, IsEmpty());
  EXPECT_THAT(*summary->inputs[0].shape, ElementsAre("1", "4", "4"));
  std::ofstream(folder.path() / "m.bin", std::ios::binary) << bin + "more";
  summary = Inspect(param);
  ASSERT_TRUE(summary.ok());
  EXPECT_THAT(summary->remarks, ElementsAre(HasSubstr("32 bytes, of which the layers need 28")));
}

TEST(Blocking, EveryUnknownNodeIsNamed) {
  const auto source = LocalOnnxSource(Models() / "unknown.onnx");
  ASSERT_TRUE(source.ok());
  const auto found = FindBlocking(*source, {"onnx", "ncnn"});
  ASSERT_TRUE(found.ok()) << found.status();
  for (const Convertibility& row : *found) {
    for (const char* name : {"'mystery'", "'riddle'", "'nonesuch'", "'inner'"})
      EXPECT_THAT(row.blocking, Contains(HasSubstr(name))) << row.target;
    // What only reads a result that is not known is not blamed.
    EXPECT_THAT(row.blocking, ::testing::Not(Contains(HasSubstr("'after'")))) << row.target;
  }
}

std::vector<std::string> Blocking(const char* file, const std::string& target) {
  const auto source = LocalOnnxSource(Models() / file);
  EXPECT_TRUE(source.ok()) << source.status();
  const auto found = FindBlocking(*source, {target});
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() ? found->at(0).blocking : std::vector<std::string>();
}

TEST(Blocking, TheTargetsOwnRefusalsStandBesideUnknownOps) {
  EXPECT_THAT(Blocking("unknown.onnx", "ncnn"), Contains(AllOf(HasSubstr("'places'"), HasSubstr("NCNN"))));
  EXPECT_THAT(Blocking("unknown.onnx", "onnx"), Not(Contains(HasSubstr("'places'"))));
}

TEST(Blocking, FaultsOfEveryKindAreNamedEachOnce) {
  const auto onnx = Blocking("broken.onnx", "onnx");
  for (const char* name : {"'arity'", "'clash'", "'dangling'", "'cycle_a'", "'cycle_b'", "'mystery'"})
    EXPECT_EQ(std::ranges::count_if(onnx, [&](const std::string& line) { return line.find(name) != line.npos; }), 1)
        << name << ::testing::PrintToString(onnx);
  EXPECT_EQ(onnx.size(), 6u) << ::testing::PrintToString(onnx);  // not what only follows them
  const auto ncnn = Blocking("broken.onnx", "ncnn");
  EXPECT_THAT(ncnn, Contains(HasSubstr("'places'")));
  EXPECT_EQ(ncnn.size(), 7u) << ::testing::PrintToString(ncnn);
}

TEST(Blocking, NodesInsideOfNodesAreNamed) {
  EXPECT_THAT(Blocking("bodies.onnx", "onnx"), IsEmpty());
  const auto ncnn = Blocking("bodies.onnx", "ncnn");
  EXPECT_THAT(ncnn, Contains(::testing::StartsWith("Loop 'turning' (output 'y'): NCNN has no layer")));
  EXPECT_THAT(ncnn, Contains(::testing::StartsWith("Loop 'turning' (output 'y'): If 'inner_if'")));
  EXPECT_THAT(ncnn,
              Contains(AllOf(::testing::StartsWith("Loop 'turning' (output 'y'): "), HasSubstr("'body_places'"))));
  EXPECT_THAT(ncnn,
              Contains(AllOf(::testing::StartsWith("Loop 'turning' (output 'y'): If 'inner_if' (output 'step'): "),
                             HasSubstr("'deep_places'"))));
  EXPECT_THAT(ncnn, Not(Contains(AnyOf(HasSubstr("'plain_relu'"), HasSubstr("'body_add'")))));
}

TEST(Blocking, MissingWeightsDoNotHideTheRest) {
  const auto ncnn = Blocking("external.onnx", "ncnn");
  EXPECT_EQ(std::ranges::count_if(ncnn, [](const std::string& l) { return l.find("weights.bin") != l.npos; }), 1);
  EXPECT_THAT(ncnn, Contains(HasSubstr("'places'")));
  EXPECT_EQ(ncnn.size(), 2u) << ::testing::PrintToString(ncnn);
}

TEST(Blocking, ExportNamesEveryUnknownOpAtOnce) {
  const auto source = LocalOnnxSource(Models() / "unknown.onnx");
  ASSERT_TRUE(source.ok());
  const auto imported = Import(*source);
  ASSERT_FALSE(imported.ok());
  const std::string message = Message(imported.status());
  for (const char* op : {"com.acme::Mystery", "org.example::Riddle", "Nonesuch", "com.acme::Enigma"})
    EXPECT_THAT(message, HasSubstr(op));
  EXPECT_THAT(message, HasSubstr("unknown.onnx: 4 faults: "));
}

TEST(Inspect, AFolderStandsForTheOnlyModelInIt) {
  for (const char* name : {"onnx", "tflite", "coreml", "ncnn"}) {
    const auto summary = Inspect(Artifacts().at(name).parent_path());
    ASSERT_TRUE(summary.ok()) << summary.status();
    EXPECT_EQ(summary->format, name);
  }
  const auto several = Inspect(Models());
  ASSERT_FALSE(several.ok());
  EXPECT_THAT(Message(several.status()), AllOf(HasSubstr("bodies.onnx, broken.onnx"), HasSubstr("name one")));
}

TEST(Inspect, CoreMlIsShownWithoutItsWeightsAndWithoutItsPackage) {
  const fs::path package = Artifacts().at("coreml");
  const TemporaryFolder folder = NewFolder();
  fs::copy(package, folder.path() / "m.mlpackage", fs::copy_options::recursive);
  const fs::path data = folder.path() / "m.mlpackage/Data/com.apple.CoreML";
  const auto whole = Inspect(data / "model.mlmodel");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->Operators(), Inspect(package)->Operators());
  EXPECT_THAT(whole->remarks, IsEmpty());
  fs::remove(data / "weights/weight.bin");
  for (const fs::path& path : {folder.path() / "m.mlpackage", data / "model.mlmodel"}) {
    const auto bare = Inspect(path);
    ASSERT_TRUE(bare.ok()) << bare.status();
    EXPECT_THAT(bare->remarks, ElementsAre(HasSubstr("weight.bin")));
    EXPECT_EQ(bare->weights.at("float32").elements, whole->weights.at("float32").elements);
  }
  std::ofstream(data / "model.mlmodel", std::ios::trunc) << "no model";
  EXPECT_FALSE(Inspect(data / "model.mlmodel").ok());
}

TEST(Inspect, ShowsShapesWithoutTheWeightsFile) {
  const auto summary = Inspect(Models() / "external.onnx");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_THAT(*summary->nodes[1].outputs[0].shape, ElementsAre("1", "4", "12", "12"));
  EXPECT_EQ(summary->weights.at("float32").elements, 8 * 27 + 4 * 72);
  EXPECT_THAT(summary->remarks, ElementsAre(HasSubstr("weights.bin")));
}

TEST(Blocking, NothingBlocksAnOrdinaryNet) {
  const auto source = LocalOnnxSource(Models() / "small.onnx");
  ASSERT_TRUE(source.ok());
  const auto found = FindBlocking(*source, {"onnx", "tflite", "coreml", "ncnn"});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 4u);
  for (const Convertibility& row : *found) EXPECT_THAT(row.blocking, IsEmpty()) << row.target;
}

}  // namespace
}  // namespace slipway
