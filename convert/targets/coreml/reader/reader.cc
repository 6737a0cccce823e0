#include "convert/targets/coreml/reader/reader.h"

#include <algorithm>

#include "common/base/error.h"
#include "convert/targets/coreml/reader/op_reader.h"
#include "convert/targets/coreml/reader/package.h"
#include "convert/targets/coreml/reader/values.h"

namespace slipway {
namespace coreml_reader {
namespace {

namespace mil = coreml::mil;
using coreml::ArrayFeatureType;
using coreml::FeatureDescription;

constexpr int kFirstProgramVersion = 6;  // specificationVersion of iOS 15

absl::Status CheckArrayFeature(const FeatureDescription& feature, const TensorInfo& info, bool is_input) {
  const ArrayFeatureType& array = feature.type().multiarraytype();
  DataType type = DataType::kUndefined;
  switch (array.datatype()) {
    case ArrayFeatureType::FLOAT32:
      type = DataType::kFloat32;
      break;
    case ArrayFeatureType::FLOAT16:
      type = DataType::kFloat16;
      break;
    case ArrayFeatureType::INT32:
      type = DataType::kInt32;
      break;
    case ArrayFeatureType::INT8:
      type = DataType::kInt8;
      break;
    default:
      return Unimplemented("feature '{}' has array type {}", feature.name(), static_cast<int>(array.datatype()));
  }
  if (type != info.type) {
    return InvalidArgument("feature '{}' is described as {}, the program says {}", feature.name(), Name(type),
                           Name(info.type));
  }
  // Outputs of variable size are described without a shape; a scalar input as [1].
  if (!is_input && array.shape().empty()) return absl::OkStatus();
  if (info.shape.empty() && array.shape_size() == 1 && array.shape(0) == 1) return absl::OkStatus();
  if (array.shape_size() != static_cast<int>(info.shape.size())) {
    return InvalidArgument("feature '{}' is described with rank {}, the program says {}", feature.name(),
                           array.shape_size(), ToString(info.shape));
  }
  const auto& ranges = array.shaperange().sizeranges();
  if (array.has_shaperange() && ranges.size() != array.shape_size()) {
    return InvalidArgument("feature '{}' has {} size ranges for rank {}", feature.name(), ranges.size(),
                           array.shape_size());
  }
  for (int i = 0; i < array.shape_size(); ++i) {
    const Dim& size = info.shape[static_cast<size_t>(i)];
    const bool has_range = array.has_shaperange();
    const int64_t lower = has_range ? static_cast<int64_t>(ranges[i].lowerbound()) : array.shape(i);
    const int64_t upper = has_range ? ranges[i].upperbound() : array.shape(i);
    const bool varies = lower != upper || array.has_enumeratedshapes();
    if (size.IsKnown() ? (lower != size.value() || upper != size.value()) && !array.has_enumeratedshapes()
                       : is_input && !varies) {
      return InvalidArgument("feature '{}': axis {} is described as {}..{}, the program says {}", feature.name(), i,
                             lower, upper, size.ToString());
    }
    if (upper >= 0 && (array.shape(i) < lower || array.shape(i) > upper)) {
      return InvalidArgument("feature '{}': axis {} has default {} outside {}..{}", feature.name(), i, array.shape(i),
                             lower, upper);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFeature(const FeatureDescription& feature, std::string_view name, const TensorInfo& info,
                          bool is_input) {
  if (feature.name() != name) {
    return InvalidArgument("the description names '{}' where the program has '{}'", feature.name(), name);
  }
  switch (feature.type().Type_case()) {
    case coreml::FeatureType::kMultiArrayType:
      return CheckArrayFeature(feature, info, is_input);
    case coreml::FeatureType::kImageType: {
      const auto& image = feature.type().imagetype();
      const int64_t channels = image.colorspace() == coreml::ImageFeatureType::GRAYSCALE ? 1 : 3;
      if (info.shape.size() == 4 && info.shape[1] == Dim(channels)) return absl::OkStatus();
      return InvalidArgument("image '{}' of {} channels has shape {} in the program", feature.name(), channels,
                             ToString(info.shape));
    }
    default:
      return Unimplemented("feature '{}' is neither a multi-array nor an image", feature.name());
  }
}

class ProgramReader {
 public:
  explicit ProgramReader(Package package) : package_(std::move(package)), graph_(std::make_unique<Graph>()) {}

  absl::StatusOr<std::unique_ptr<Graph>> Read() {
    const coreml::Model& model = package_.model;
    if (!model.has_mlprogram()) return Unimplemented("the model is no ML program");
    if (model.specificationversion() < kFirstProgramVersion) {
      return InvalidArgument("specification version {} has no ML programs", model.specificationversion());
    }
    const auto& functions = model.mlprogram().functions();
    const auto main = functions.find("main");
    if (main == functions.end()) return InvalidArgument("the program has no function 'main'");
    if (functions.size() != 1) return Unimplemented("the program has {} functions", functions.size());
    const mil::Function& function = main->second;
    const auto block = function.block_specializations().find(function.opset());
    if (block == function.block_specializations().end()) {
      return InvalidArgument("the function has no block for its opset '{}'", function.opset());
    }
    RETURN_IF_ERROR(ReadInputs(function));
    for (const mil::Operation& operation : block->second.operations()) RETURN_IF_ERROR(ReadOperation(operation));
    RETURN_IF_ERROR(ReadOutputs(block->second));
    graph_->RemoveDead();
    RETURN_IF_ERROR(graph_->Validate());
    return std::move(graph_);
  }

 private:
  absl::Status ReadInputs(const mil::Function& function) {
    const auto& described = package_.model.description().input();
    if (described.size() != function.inputs_size()) {
      return InvalidArgument("the description has {} inputs, the program {}", described.size(), function.inputs_size());
    }
    for (int i = 0; i < described.size(); ++i) {
      const mil::NamedValueType& input = function.inputs(i);
      ASSIGN_OR_RETURN(const TensorInfo info, TensorInfoOf(input.type()));
      RETURN_IF_ERROR(CheckFeature(described[i], input.name(), info, true));
      Value* value = graph_->AddInput(input.name(), info.type, info.shape);
      if (HeldType(info.type) != info.type) {
        value = AddCast(*graph_, value, HeldType(info.type), InnerName(input.name()));
      }
      if (!scope_.emplace(input.name(), value).second)
        return InvalidArgument("two inputs are named '{}'", input.name());
    }
    return absl::OkStatus();
  }

  absl::Status ReadOutputs(const mil::Block& block) {
    const auto& described = package_.model.description().output();
    if (described.size() != block.outputs_size()) {
      return InvalidArgument("the description has {} outputs, the program {}", described.size(), block.outputs_size());
    }
    for (int i = 0; i < described.size(); ++i) {
      const std::string& name = block.outputs(i);
      const auto found = scope_.find(name);
      if (found == scope_.end()) return InvalidArgument("output '{}' is made by nothing", name);
      Value* value = found->second;
      const auto declared = declared_.find(name);
      const DataType type = declared == declared_.end() ? value->type : declared->second;
      if (!value->shape && !value->constant) return InvalidArgument("output '{}' has no shape", name);
      const Shape shape = value->constant ? ToShape(value->constant->shape()) : *value->shape;
      RETURN_IF_ERROR(CheckFeature(described[i], name, {type, shape}, false));
      if (type != value->type) {
        graph_->Rename(value, InnerName(name));
        value = AddCast(*graph_, value, type, name);
      } else if (value->producer == nullptr) {
        // An input or a constant: outputs are made by nodes.
        graph_->Rename(value, InnerName(name));
        Node* identity = graph_->AddNode(OpKind::kIdentity, {value}, {name});
        identity->output()->type = value->type;
        identity->output()->shape = shape;
        value = identity->output();
      }
      graph_->AddOutput(value);
    }
    return absl::OkStatus();
  }

  absl::Status ReadConst(const mil::Operation& operation) {
    if (operation.outputs_size() != 1) return InvalidArgument("a const has {} outputs", operation.outputs_size());
    const std::string& name = operation.outputs(0).name();
    const auto value = operation.attributes().find("val");
    if (value == operation.attributes().end()) return InvalidArgument("const '{}' has no val", name);
    absl::StatusOr<Tensor> tensor = ConstantOf(value->second, package_.weights);
    if (!tensor.ok()) return Annotate(tensor.status(), fmt::format("const '{}'", name));
    ASSIGN_OR_RETURN(const TensorInfo declared, TensorInfoOf(operation.outputs(0).type()));
    if (declared.type != tensor->type() || declared.shape != ToShape(tensor->shape())) {
      return InvalidArgument("const '{}' is declared {} {} and holds {} {}", name, Name(declared.type),
                             ToString(declared.shape), Name(tensor->type()), ToString(tensor->shape()));
    }
    if (name.empty() || scope_.contains(name)) return InvalidArgument("the name '{}' is made twice", name);
    scope_[name] = graph_->AddConstant(name, Held(*tensor));
    return absl::OkStatus();
  }

  absl::Status ReadOperation(const mil::Operation& operation) {
    if (operation.type() == "const") return ReadConst(operation);
    OpReader reader(*graph_, scope_, operation, package_.weights);
    const OpEntry* entry = FindOpEntry(operation.type());
    if (entry == nullptr) {
      reader.Refuse("the reader does not know this op");
      return reader.status();
    }
    if (operation.blocks_size() > 0) reader.Refuse("an op with blocks of its own is not read");
    reader.ReadOutputTypes();
    if (reader.ok()) entry->read(reader);
    if (reader.ok()) reader.CheckResults();
    RETURN_IF_ERROR(reader.status());
    for (const mil::NamedValueType& output : operation.outputs()) {
      ASSIGN_OR_RETURN(const TensorInfo info, TensorInfoOf(output.type()));
      declared_[output.name()] = info.type;
    }
    return absl::OkStatus();
  }

  Package package_;
  std::unique_ptr<Graph> graph_;
  Scope scope_;
  absl::flat_hash_map<std::string, DataType> declared_;  // types of ops' results, before holding
};

}  // namespace
}  // namespace coreml_reader

absl::StatusOr<std::unique_ptr<Graph>> ReadMlpackage(const std::filesystem::path& package) {
  absl::StatusOr<coreml_reader::Package> opened = coreml_reader::OpenPackage(package);
  if (!opened.ok()) return Annotate(opened.status(), package.filename().string());
  absl::StatusOr<std::unique_ptr<Graph>> graph = coreml_reader::ProgramReader(*std::move(opened)).Read();
  if (!graph.ok()) return Annotate(graph.status(), package.filename().string());
  return graph;
}

}  // namespace slipway
