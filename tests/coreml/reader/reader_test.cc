// The Core ML reader against models that coremltools made and numbers that numpy computed (models.py): nothing of the writer.
#include "convert/targets/coreml/reader/reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/file.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/coreml/model.pb.h"

namespace slipway {
namespace {

using nlohmann::json;

std::string Python() {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  return python == nullptr ? "" : python;
}

// A folder with one family's models.
class ReaderTest : public testing::Test {
 protected:
  void MakeModels(const std::string& family) {
    auto folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "reader-");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = std::make_unique<TemporaryFolder>(*std::move(folder));
    ASSERT_FALSE(Python().empty()) << "SLIPWAY_PYTHON names no interpreter";
    const std::string command = Python() + " " SLIPWAY_SOURCE_DIR "/tests/coreml/reader/models.py " +
                                folder_->path().string() + " " + family + " >" + (folder_->path() / "log").string() +
                                " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << ReadFile(folder_->path() / "log").value_or("");
    const auto cases = ReadFile(folder_->path() / "cases.json");
    ASSERT_TRUE(cases.ok()) << cases.status();
    cases_ = json::parse(*cases);
    hosts_ = SpawningHosts(Python(), folder_->path());
  }

  // null is +Inf.
  static std::vector<double> Numbers(const json& entry) {
    std::vector<double> numbers;
    for (const json& value : entry.at("values")) {
      numbers.push_back(value.is_null() ? std::numeric_limits<double>::infinity() : value.get<double>());
    }
    return numbers;
  }

  static Tensor TensorOf(const json& entry) {
    const auto shape = entry.at("shape").get<std::vector<int64_t>>();
    return Tensor::From<double>(shape, Numbers(entry)).Cast(DataTypeFromName(entry.at("dtype").get<std::string>()));
  }

  // Runs one case; expects the outputs within `tolerance` of their largest element.
  void RunCase(const json& entry, double tolerance) {
    const std::filesystem::path package = folder_->path() / (entry.at("name").get<std::string>() + ".mlpackage");
    auto session = LoadArtifact(*hosts_, "coreml", "interpreter", package);
    ASSERT_TRUE(session.ok()) << session.status();
    NamedTensors inputs;
    for (const json& input : entry.at("inputs")) inputs.emplace_back(input.at("name"), TensorOf(input));
    auto outputs = (*session)->Run(inputs, {});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    const json& expected = entry.at("outputs");
    ASSERT_EQ(outputs->size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ((*outputs)[i].first, expected[i].at("name"));
      ExpectNear((*outputs)[i].second, expected[i], tolerance);
    }
  }

  static void ExpectNear(const Tensor& actual, const json& expected, double tolerance) {
    EXPECT_EQ(actual.type(), DataTypeFromName(expected.at("dtype").get<std::string>()));
    ASSERT_EQ(actual.shape(), expected.at("shape").get<std::vector<int64_t>>());
    const std::vector<double> numbers = Numbers(expected);
    const std::vector<double> got = actual.ToDoubles();
    double scale = 1e-3;
    for (const double number : numbers) {
      if (std::isfinite(number)) scale = std::max(scale, std::abs(number));
    }
    for (size_t k = 0; k < numbers.size(); ++k) {
      if (std::isinf(numbers[k])) {
        EXPECT_EQ(got[k], numbers[k]) << "element " << k;
      } else {
        EXPECT_NEAR(got[k], numbers[k], tolerance * scale) << "element " << k;
      }
    }
  }

  void RunFamily(const std::string& family, size_t at_least, double tolerance = 3e-6) {
    ASSERT_NO_FATAL_FAILURE(MakeModels(family));
    EXPECT_GE(cases_.size(), at_least);
    for (const json& entry : cases_) {
      SCOPED_TRACE(entry.at("name").get<std::string>());
      RunCase(entry, tolerance);
    }
  }

  std::unique_ptr<TemporaryFolder> folder_;
  json cases_;
  std::unique_ptr<HostProvider> hosts_;
};

TEST_F(ReaderTest, Convolutions) { RunFamily("conv", 9); }
TEST_F(ReaderTest, Pools) { RunFamily("pool", 8); }
TEST_F(ReaderTest, Activations) { RunFamily("activation", 19); }
TEST_F(ReaderTest, Softmax) { RunFamily("softmax", 2); }
TEST_F(ReaderTest, Elementwise) { RunFamily("elementwise", 40); }
TEST_F(ReaderTest, Products) { RunFamily("gemm", 7); }
TEST_F(ReaderTest, Normalizations) { RunFamily("normalization", 7); }
TEST_F(ReaderTest, Reductions) { RunFamily("reduce", 14); }
TEST_F(ReaderTest, Reshapes) { RunFamily("reshape", 13); }
TEST_F(ReaderTest, Slices) { RunFamily("slice", 12); }
TEST_F(ReaderTest, Gathers) { RunFamily("gather", 8); }
TEST_F(ReaderTest, Resizes) { RunFamily("resize", 9); }
TEST_F(ReaderTest, Networks) { RunFamily("network", 2); }
// Exact but for sums that fall on the other side of a rounding boundary: one unit of fp16's last place.
TEST_F(ReaderTest, HalfPrecisionRoundsAfterEachOp) { RunFamily("half", 2, 1.0 / 1024); }

// A model edited after coremltools wrote it.
class BrokenPackageTest : public ReaderTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeModels("network"));
    package_ = folder_->path() / "broken.mlpackage";
    std::filesystem::remove_all(package_);
    std::filesystem::copy(folder_->path() / "detector.mlpackage", package_, std::filesystem::copy_options::recursive);
    ASSERT_TRUE(model_.ParseFromString(*ReadFile(ModelPath())));
  }
  std::filesystem::path ModelPath() const { return package_ / "Data/com.apple.CoreML/model.mlmodel"; }
  std::filesystem::path WeightPath() const { return package_ / "Data/com.apple.CoreML/weights/weight.bin"; }
  coreml::mil::Block& Block() {
    coreml::mil::Function& function = (*model_.mutable_mlprogram()->mutable_functions())["main"];
    return (*function.mutable_block_specializations())[function.opset()];
  }
  // The first operation of a type, for editing.
  coreml::mil::Operation& Operation(std::string_view type) {
    for (auto& operation : *Block().mutable_operations()) {
      if (operation.type() == type) return operation;
    }
    ADD_FAILURE() << "no " << type;
    return *Block().mutable_operations(0);
  }
  absl::Status Read() {
    EXPECT_TRUE(WriteFileAtomically(ModelPath(), model_.SerializeAsString()).ok());
    return ReadMlpackage(package_).status();
  }
  void EditWeights(size_t offset, std::string_view bytes) {
    std::string file = *ReadFile(WeightPath());
    ASSERT_LE(offset + bytes.size(), file.size());
    file.replace(offset, bytes.size(), bytes);
    ASSERT_TRUE(WriteFileAtomically(WeightPath(), file).ok());
  }

  std::filesystem::path package_;
  coreml::Model model_;
};

TEST_F(BrokenPackageTest, IsReadAsItWas) { EXPECT_TRUE(Read().ok()); }

TEST_F(BrokenPackageTest, AnUnknownOpIsNamed) {
  Operation("prelu").set_type("frobnicate");
  const absl::Status status = Read();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("frobnicate"), absl::string_view::npos) << status;
}

TEST_F(BrokenPackageTest, AValueFromNowhereIsNamed) {
  (*Operation("prelu").mutable_inputs())["x"].mutable_arguments(0)->set_name("nowhere");
  const absl::Status status = Read();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("nowhere"), absl::string_view::npos) << status;
}

TEST_F(BrokenPackageTest, ADescriptionThatDiffersFromTheProgramIsRefused) {
  model_.mutable_description()->mutable_input(0)->set_name("other");
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BrokenPackageTest, ASizeRangeThatIsFixedInTheDescriptionOnlyIsRefused) {
  auto* array = model_.mutable_description()->mutable_input(0)->mutable_type()->mutable_multiarraytype();
  array->mutable_shaperange()->mutable_sizeranges(2)->set_lowerbound(12);
  array->mutable_shaperange()->mutable_sizeranges(2)->set_upperbound(12);
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BrokenPackageTest, AConstantOfAnotherShapeThanDeclaredIsRefused) {
  for (auto& operation : *Block().mutable_operations()) {
    auto* type = operation.mutable_outputs(0)->mutable_type()->mutable_tensortype();
    if (operation.type() != "const" || type->rank() != 4) continue;
    type->mutable_dimensions(0)->mutable_constant()->set_size(99);
    break;
  }
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BrokenPackageTest, WeightsAreCheckedFieldByField) {
  std::set<uint64_t> offsets;
  for (const auto& operation : Block().operations()) {
    const auto value = operation.attributes().find("val");
    if (value != operation.attributes().end() && value->second.has_blobfilevalue()) {
      offsets.insert(value->second.blobfilevalue().offset());
    }
  }
  ASSERT_FALSE(offsets.empty());
  const size_t blob = *offsets.begin();
  const std::string whole = *ReadFile(WeightPath());
  // Sentinel, element type, size, data offset.
  for (const size_t field : {size_t{0}, size_t{4}, size_t{8}, size_t{16}}) {
    ASSERT_TRUE(WriteFileAtomically(WeightPath(), whole).ok());
    EditWeights(blob + field, "\x7f");
    EXPECT_FALSE(Read().ok()) << "field at " << field;
  }
  ASSERT_TRUE(WriteFileAtomically(WeightPath(), whole.substr(0, blob + 65)).ok());
  EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss);
  std::filesystem::remove(WeightPath());
  EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss);
}

TEST_F(BrokenPackageTest, AManifestStaysInsideItsPackage) {
  json manifest = json::parse(*ReadFile(package_ / "Manifest.json"));
  const std::string root = manifest.at("rootModelIdentifier");
  manifest["itemInfoEntries"][root]["path"] = "../../detector.mlpackage/Data/com.apple.CoreML/model.mlmodel";
  ASSERT_TRUE(WriteFileAtomically(package_ / "Manifest.json", manifest.dump()).ok());
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomically(package_ / "Manifest.json", "{").ok());
  EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss);
}

TEST_F(BrokenPackageTest, ATruncatedModelIsNoModel) {
  const std::string whole = *ReadFile(ModelPath());
  ASSERT_TRUE(WriteFileAtomically(ModelPath(), whole.substr(0, whole.size() / 2)).ok());
  EXPECT_EQ(ReadMlpackage(package_).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace slipway
