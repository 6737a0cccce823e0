// ONNX's own node tests (Debian's libonnx-testdata): imported, written again, run in onnxruntime, and compared with the outputs that the
// suite gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "common/base/error.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/onnx/tensor_load.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"
#include "tests/onnx/harness.h"

namespace slipway::testing {
namespace {

constexpr char kSuite[] = "/usr/share/libonnx-testdata/data";

absl::StatusOr<Tensor> ReadTensorFile(const std::filesystem::path& path) {
  Source source;
  source.main.path = path.filename().string();
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(const onnx_import::TensorView view, onnx_import::ReadTensorView(source.main.file->bytes()));
  return onnx_import::LoadTensor(view, source);
}

enum class Step { kRefused, kNotLoaded, kDiffers, kPassed };

// Whether a case is of tensors that a target can have: no sequences, optionals or strings.
bool Addressable(const onnx::ModelProto& model) {
  const auto fits = [](const onnx::ValueInfoProto& info) {
    return info.type().has_tensor_type() && info.type().tensor_type().elem_type() != onnx::TensorProto::STRING;
  };
  return std::ranges::all_of(model.graph().input(), fits) && std::ranges::all_of(model.graph().output(), fits);
}

Step RunCase(const std::filesystem::path& folder, const onnx::ModelProto& model, const std::filesystem::path& scratch,
             std::string& why) {
  const auto check = [&](const absl::Status& status) {
    why = Message(status);
    return status.ok();
  };
  const auto source = OpenSource(folder / "model.onnx");
  if (!check(source.status())) return Step::kRefused;
  auto imported = ImportOnnx(*source);
  if (!check(imported.status()) || !check(Simplify(*imported->graph)) || !check(imported->graph->Validate()))
    return Step::kRefused;
  const std::filesystem::path written = scratch / (folder.filename().string() + ".onnx");
  if (!check(WriteOnnxFile(*imported->graph, {}, written).status())) return Step::kRefused;

  const std::filesystem::path data = folder / "test_data_set_0";
  std::set<std::string> initializers;
  for (const auto& tensor : model.graph().initializer()) initializers.insert(tensor.name());
  std::vector<std::string> names;
  for (const auto& input : model.graph().input()) {
    if (!initializers.contains(input.name())) names.push_back(input.name());
  }
  NamedTensors inputs;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto tensor = ReadTensorFile(data / fmt::format("input_{}.pb", i));
    if (!check(tensor.status())) return Step::kRefused;
    if (imported->graph->Find(names[i]) != nullptr) inputs.emplace_back(names[i], *tensor);
  }
  std::vector<std::string> outputs;
  for (const auto& output : model.graph().output()) outputs.push_back(output.name());
  const auto actual = RunOnnx(written, inputs, outputs);
  if (!check(actual.status())) return Step::kNotLoaded;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto expected = ReadTensorFile(data / fmt::format("output_{}.pb", i));
    if (!check(expected.status()) || !check(ExpectClose((*actual)[i].second, *expected, 1e-3, 1e-5)))
      return Step::kDiffers;
  }
  return Step::kPassed;
}

// Cases that do not pass, and why. They count as failures.
const std::map<std::string, std::string>& Exclusions() {
  static const std::map<std::string, std::string> exclusions = {
#include "tests/onnx/node_case_exclusions.inc"
  };
  return exclusions;
}

TEST(OnnxNodeCases, RoundTrip) {
  const auto scratch = TemporaryFolder::Create("/tmp", "slipway-node-cases-");
  ASSERT_TRUE(scratch.ok());
  std::map<Step, int> counts;
  int addressable = 0;
  for (const char* kind : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    std::set<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(kSuite) / kind))
      folders.insert(entry.path());
    for (const std::filesystem::path& folder : folders) {
      const auto bytes = ReadFile(folder / "model.onnx");
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      onnx::ModelProto model;
      ASSERT_TRUE(model.ParseFromString(*bytes)) << folder;
      if (!Addressable(model)) continue;
      ++addressable;
      std::string why;
      const Step step = RunCase(folder, model, scratch->path(), why);
      ++counts[step];
      const bool excluded = Exclusions().contains(folder.filename().string());
      EXPECT_EQ(step == Step::kPassed, !excluded)
          << folder.filename().string() << (excluded ? " passes, but is on the list of exclusions" : ": " + why);
    }
  }
  EXPECT_EQ(addressable, 1030);
  std::cout << "addressable " << addressable << ", passed " << counts[Step::kPassed] << ", refused "
            << counts[Step::kRefused] << ", not loaded by onnxruntime " << counts[Step::kNotLoaded] << ", different "
            << counts[Step::kDiffers] << "\n";
}

}  // namespace
}  // namespace slipway::testing
