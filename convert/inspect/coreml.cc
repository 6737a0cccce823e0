#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "common/base/error.h"
#include "convert/inspect/formats.h"
#include "convert/targets/coreml/mil.pb.h"
#include "convert/targets/coreml/model.pb.h"
#include "convert/targets/coreml/reader/package.h"
#include "convert/targets/coreml/reader/values.h"

namespace slipway::inspect {
namespace {

namespace mil = coreml::mil;

struct TypeRow {
  mil::DataType mil;
  std::string_view name;
  int64_t bits;
};
constexpr TypeRow kTypes[] = {{mil::BOOL, "bool", 8},
                              {mil::STRING, "string", 0},
                              {mil::FLOAT16, "float16", 16},
                              {mil::FLOAT32, "float32", 32},
                              {mil::FLOAT64, "float64", 64},
                              {mil::BFLOAT16, "bfloat16", 16},
                              {mil::INT8, "int8", 8},
                              {mil::INT16, "int16", 16},
                              {mil::INT32, "int32", 32},
                              {mil::INT64, "int64", 64},
                              {mil::INT4, "int4", 4},
                              {mil::UINT8, "uint8", 8},
                              {mil::UINT16, "uint16", 16},
                              {mil::UINT32, "uint32", 32},
                              {mil::UINT64, "uint64", 64},
                              {mil::UINT4, "uint4", 4},
                              {mil::UINT2, "uint2", 2},
                              {mil::UINT1, "uint1", 1},
                              {mil::UINT6, "uint6", 6},
                              {mil::UINT3, "uint3", 3},
                              {mil::FLOAT8E4M3FN, "float8e4m3fn", 8},
                              {mil::FLOAT8E5M2, "float8e5m2", 8}};

const TypeRow* FindType(mil::DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.mil == type) return &row;
  }
  return nullptr;
}

std::string_view ArrayTypeName(coreml::ArrayFeatureType::ArrayDataType type) {
  switch (type) {
    case coreml::ArrayFeatureType::FLOAT32:
      return "float32";
    case coreml::ArrayFeatureType::FLOAT16:
      return "float16";
    case coreml::ArrayFeatureType::DOUBLE:
      return "float64";
    case coreml::ArrayFeatureType::INT32:
      return "int32";
    case coreml::ArrayFeatureType::INT8:
      return "int8";
    default:
      return "";
  }
}

// The first release that reads a specification version.
std::string Deployment(int version) {
  constexpr std::pair<int, std::string_view> kReleases[] = {{1, "iOS11"}, {2, "iOS12"}, {3, "iOS12"}, {4, "iOS13"},
                                                            {5, "iOS14"}, {6, "iOS15"}, {7, "iOS16"}, {8, "iOS17"},
                                                            {9, "iOS18"}, {10, "iOS26"}};
  for (const auto& [specification, release] : kReleases) {
    if (specification == version) return std::string(release);
  }
  return "";
}

TensorSummary Describe(const mil::NamedValueType& value) {
  TensorSummary tensor{.name = value.name()};
  if (!value.type().has_tensortype()) return tensor;
  const mil::TensorType& type = value.type().tensortype();
  if (const TypeRow* row = FindType(type.datatype())) tensor.type = row->name;
  tensor.shape.emplace();
  for (const mil::Dimension& dimension : type.dimensions()) {
    tensor.shape->push_back(dimension.has_constant() ? std::to_string(dimension.constant().size()) : "?");
  }
  return tensor;
}

// A feature as the model's users see it; sizes that may vary as "1..64" or "16|32".
TensorSummary Describe(const coreml::FeatureDescription& feature) {
  TensorSummary tensor{.name = feature.name()};
  if (feature.type().has_imagetype()) {
    const auto& image = feature.type().imagetype();
    tensor.type = "image";
    tensor.shape = {{std::to_string(image.height()), std::to_string(image.width())}};
    return tensor;
  }
  if (!feature.type().has_multiarraytype()) return tensor;
  const coreml::ArrayFeatureType& array = feature.type().multiarraytype();
  tensor.type = ArrayTypeName(array.datatype());
  if (array.shape().empty()) return tensor;
  tensor.shape.emplace();
  for (int i = 0; i < array.shape_size(); ++i) {
    std::string size = std::to_string(array.shape(i));
    if (array.has_shaperange() && i < array.shaperange().sizeranges_size()) {
      const coreml::SizeRange& range = array.shaperange().sizeranges(i);
      if (range.upperbound() < 0) {
        size = fmt::format("{}..", range.lowerbound());
      } else if (range.lowerbound() != static_cast<uint64_t>(range.upperbound())) {
        size = fmt::format("{}..{}", range.lowerbound(), range.upperbound());
      }
    }
    for (const auto& shape : array.enumeratedshapes().shapes()) {
      if (i >= shape.shape_size() || shape.shape(i) == array.shape(i)) continue;
      if (const std::string other = std::to_string(shape.shape(i));
          ("|" + size + "|").find("|" + other + "|") == std::string::npos)
        size += "|" + other;
    }
    tensor.shape->push_back(std::move(size));
  }
  return tensor;
}

class Program {
 public:
  Program(const coreml_reader::Package& package, ModelSummary& summary) : package_(package), summary_(summary) {}

  absl::Status Read() {
    const mil::Program& program = package_.model.mlprogram();
    // A map's order is not the file's: by name.
    std::map<std::string, const mil::Function*> functions;
    for (const auto& [name, function] : program.functions()) functions.emplace(name, &function);
    for (const auto& [name, function] : functions) {
      const auto block = function->block_specializations().find(function->opset());
      if (block == function->block_specializations().end())
        return DataLoss("function '{}' has no block for its opset '{}'", name, function->opset());
      summary_.facts.emplace_back(functions.size() == 1 ? "opset" : "opset of " + name, function->opset());
      RETURN_IF_ERROR(ReadBlock(block->second, functions.size() == 1 ? "" : name, types_));
      if (functions.size() == 1) ShapeOutputs();
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CountValue(std::string_view owner, const mil::Value& value) {
    if (!value.type().has_tensortype()) return absl::OkStatus();
    const mil::TensorType& type = value.type().tensortype();
    const TypeRow* row = FindType(type.datatype());
    if (row == nullptr)
      return DataLoss("the value of '{}' has element type {}", owner, static_cast<int>(type.datatype()));
    if (row->bits == 0) return absl::OkStatus();  // names of modes and paddings
    std::vector<int64_t> sizes;
    for (const mil::Dimension& dimension : type.dimensions()) {
      if (!dimension.has_constant()) return DataLoss("the value of '{}' has no fixed shape", owner);
      sizes.push_back(dimension.constant().size() > INT64_MAX ? -1 : static_cast<int64_t>(dimension.constant().size()));
    }
    ASSIGN_OR_RETURN(const int64_t count, Elements(owner, sizes));
    if (value.has_blobfilevalue()) {
      if (package_.weights == nullptr) {
        constexpr const char* kMissing = "its weights, weights/weight.bin, are missing";
        if (std::ranges::find(summary_.remarks, kMissing) == summary_.remarks.end())
          summary_.remarks.push_back(kMissing);
      } else if (const auto element = coreml_reader::ElementType(type.datatype()); element.ok()) {
        const auto bytes = static_cast<uint64_t>(count) * SizeOf(*element);
        const auto blob = coreml_reader::WeightBlob(*package_.weights, value.blobfilevalue().offset(), *element, bytes);
        if (!blob.ok()) return Annotate(blob.status(), owner);
      }
    }
    AddWeight(summary_, std::string(row->name), count, row->bits);
    return absl::OkStatus();
  }

  absl::Status ReadBlock(const mil::Block& block, const std::string& inside,
                         std::map<std::string, TensorSummary>& types) {
    for (const mil::Operation& operation : block.operations()) {
      NodeSummary node{.op = operation.type(), .inside = inside};
      for (const mil::NamedValueType& output : operation.outputs()) {
        node.outputs.push_back(Describe(output));
        types.insert_or_assign(output.name(), node.outputs.back());
      }
      if (!node.outputs.empty()) node.name = node.outputs.front().name;
      std::map<std::string, const mil::Argument*> arguments;
      for (const auto& [name, argument] : operation.inputs()) arguments.emplace(name, &argument);
      for (const auto& [name, argument] : arguments) {
        for (const auto& binding : argument->arguments()) {
          if (binding.has_value()) RETURN_IF_ERROR(CountValue(node.name, binding.value()));
          if (!binding.name().empty()) node.inputs.push_back(binding.name());
        }
      }
      for (const auto& [name, value] : operation.attributes()) {
        if (name != "name") RETURN_IF_ERROR(CountValue(node.name, value));
      }
      const std::string below = (inside.empty() ? "" : inside + "/") + node.name;
      if (node.op != "const") summary_.nodes.push_back(std::move(node));
      for (const mil::Block& inner : operation.blocks()) RETURN_IF_ERROR(ReadBlock(inner, below, types));
    }
    return absl::OkStatus();
  }

  // Features of variable size are described without a shape: the program has it.
  void ShapeOutputs() {
    for (TensorSummary& output : summary_.outputs) {
      const auto made = types_.find(output.name);
      if (!output.shape && made != types_.end()) output.shape = made->second.shape;
    }
  }

  const coreml_reader::Package& package_;
  ModelSummary& summary_;
  std::map<std::string, TensorSummary> types_;
};

}  // namespace

namespace {

absl::StatusOr<ModelSummary> Summarize(const coreml_reader::Package& package, std::vector<FileSummary> files) {
  const coreml::Model& model = package.model;
  ModelSummary summary{.format = "coreml", .files = std::move(files)};
  summary.facts.emplace_back("specification version", std::to_string(model.specificationversion()));
  if (const std::string release = Deployment(model.specificationversion()); !release.empty())
    summary.facts.emplace_back("deployment", release);
  const auto& metadata = model.description().metadata();
  if (const auto version = metadata.userdefined().find("com.github.apple.coremltools.version");
      version != metadata.userdefined().end())
    summary.producer = "coremltools " + version->second;
  if (summary.producer.empty()) summary.producer = metadata.author();
  for (const auto& input : model.description().input()) summary.inputs.push_back(Describe(input));
  for (const auto& output : model.description().output()) summary.outputs.push_back(Describe(output));
  if (!model.has_mlprogram()) {
    summary.remarks.push_back("the model is no ML program: its layers are not shown");
    return summary;
  }
  RETURN_IF_ERROR(Program(package, summary).Read());
  return summary;
}

}  // namespace

absl::StatusOr<ModelSummary> InspectMlpackage(const std::filesystem::path& folder) {
  const google::protobuf::LogSilencer damage_is_told_once;
  ASSIGN_OR_RETURN(const coreml_reader::Package package, coreml_reader::OpenPackage(folder));
  std::vector<FileSummary> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    files.push_back({(folder / it->path().lexically_relative(folder)).string(), it->file_size(error)});
  }
  std::ranges::sort(files, {}, &FileSummary::path);
  return Summarize(package, std::move(files));
}

absl::StatusOr<ModelSummary> InspectMlmodel(const std::filesystem::path& path, const File& file) {
  const google::protobuf::LogSilencer damage_is_told_once;
  coreml_reader::Package package;
  if (file->bytes().size() > INT32_MAX ||
      !package.model.ParseFromArray(file->bytes().data(), static_cast<int>(file->bytes().size())) ||
      package.model.specificationversion() < 1) {
    return DataLoss("no Core ML model: it cannot be read as one");
  }
  std::vector<FileSummary> files = {{path.string(), file->bytes().size()}};
  const std::filesystem::path weights = path.parent_path() / "weights" / "weight.bin";
  std::error_code error;
  if (std::filesystem::is_regular_file(weights, error)) {
    ASSIGN_OR_RETURN(package.weights, MappedFile::Open(weights));
    files.push_back({weights.string(), package.weights->bytes().size()});
  }
  return Summarize(package, std::move(files));
}

}  // namespace slipway::inspect
