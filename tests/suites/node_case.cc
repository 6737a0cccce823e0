#include "tests/suites/node_case.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/onnx/tensor_load.h"
#include "tests/suites/families.h"

namespace slipway::suites {
namespace {

constexpr std::array kFolders = {"node", "pytorch-converted", "pytorch-operator", "simple"};
constexpr std::array kTypes = {onnx::TensorProto::FLOAT, onnx::TensorProto::INT32, onnx::TensorProto::INT64,
                               onnx::TensorProto::BOOL,  onnx::TensorProto::UINT8, onnx::TensorProto::INT8};

absl::StatusOr<Tensor> ReadTensorFile(const std::filesystem::path& path) {
  Source source;
  source.main.path = path.filename().string();
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(const onnx_import::TensorView view, onnx_import::ReadTensorView(source.main.file->bytes()));
  return onnx_import::LoadTensor(view, source);
}

bool IsOfNumbers(const onnx::ValueInfoProto& info) {
  return info.type().has_tensor_type() && info.type().tensor_type().elem_type() != onnx::TensorProto::STRING;
}

bool HasScoredType(const onnx::ValueInfoProto& info) {
  return info.type().has_tensor_type() &&
         std::ranges::find(kTypes, info.type().tensor_type().elem_type()) != kTypes.end();
}

// Graph inputs that the data sets feed: initializers may be listed as inputs too.
std::vector<std::string> FedInputs(const onnx::GraphProto& graph) {
  std::set<std::string> initializers;
  for (const auto& tensor : graph.initializer()) initializers.insert(tensor.name());
  std::vector<std::string> names;
  for (const auto& input : graph.input()) {
    if (!initializers.contains(input.name())) names.push_back(input.name());
  }
  return names;
}

// The one family of a model's operators, "composed" of several, empty if any operator is not scored. Constants and shape arithmetic beside others do not count.
std::string FamilyOfGraph(const onnx::GraphProto& graph) {
  std::set<std::string_view> families;
  for (const auto& node : graph.node()) {
    const bool default_domain = node.domain().empty() || node.domain() == "ai.onnx";
    const std::string_view family = FamilyOf(node.op_type());
    if (!default_domain || family.empty()) return "";
    families.insert(family);
  }
  if (families.size() > 1) families.erase("type and shape");
  if (families.empty()) return "";
  return families.size() == 1 ? std::string(*families.begin()) : "composed";
}

const Tensor* Find(const NamedTensors& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensors::value_type::first);
  return found == tensors.end() ? nullptr : &found->second;
}

bool InTraining(const NodeCase& node_case) {
  for (const auto& node : node_case.model.graph().node()) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.name() == "training_mode" && attribute.i() != 0) return true;
    }
    if (node.op_type() == "Dropout" && node.input_size() > 2) {
      const Tensor* mode = Find(node_case.data_sets.front().inputs, node.input(2));
      // A constant of the graph: the suite has only training ones of that kind.
      if (mode == nullptr || mode->At<uint8_t>(0) != 0) return true;
    }
  }
  return false;
}

void Measure(NodeCase& node_case) {
  for (const DataSet& data : node_case.data_sets) {
    for (const NamedTensors* tensors : {&data.inputs, &data.outputs}) {
      for (const auto& [name, tensor] : *tensors) {
        node_case.max_rank = std::max(node_case.max_rank, tensor.rank());
        node_case.has_empty |= tensor.size() == 0;
        node_case.has_float |= tensor.type() == DataType::kFloat32;
      }
    }
  }
  node_case.has_runtime_input = !node_case.data_sets.front().inputs.empty();
}

absl::StatusOr<std::vector<DataSet>> ReadDataSets(const std::filesystem::path& folder, const onnx::GraphProto& graph) {
  std::vector<DataSet> sets;
  for (int set = 0;; ++set) {
    const std::filesystem::path data = folder / fmt::format("test_data_set_{}", set);
    if (!std::filesystem::is_directory(data)) break;
    DataSet& tensors = sets.emplace_back();
    for (const std::string& name : FedInputs(graph)) {
      ASSIGN_OR_RETURN(Tensor tensor, ReadTensorFile(data / fmt::format("input_{}.pb", tensors.inputs.size())));
      tensors.inputs.emplace_back(name, std::move(tensor));
    }
    for (const auto& output : graph.output()) {
      ASSIGN_OR_RETURN(Tensor tensor, ReadTensorFile(data / fmt::format("output_{}.pb", tensors.outputs.size())));
      tensors.outputs.emplace_back(output.name(), std::move(tensor));
    }
  }
  if (sets.empty()) return InvalidArgument("{} has no data", folder.string());
  return sets;
}

bool IsFrozenOperand(const onnx::GraphProto& graph, const std::string& input) {
  bool used = false;
  for (const auto& node : graph.node()) {
    const std::span<const int> frozen = FrozenOperands(node.op_type());
    for (int i = 0; i < node.input_size(); ++i) {
      if (node.input(i) != input) continue;
      if (std::ranges::find(frozen, i) == frozen.end()) return false;
      used = true;
    }
  }
  return used;
}

onnx::TensorProto ToProto(const std::string& name, const Tensor& tensor) {
  static const std::map<DataType, int> kCodes = {
      {DataType::kFloat32, onnx::TensorProto::FLOAT}, {DataType::kInt32, onnx::TensorProto::INT32},
      {DataType::kInt64, onnx::TensorProto::INT64},   {DataType::kBool, onnx::TensorProto::BOOL},
      {DataType::kUInt8, onnx::TensorProto::UINT8},   {DataType::kInt8, onnx::TensorProto::INT8}};
  onnx::TensorProto proto;
  proto.set_name(name);
  proto.set_data_type(static_cast<onnx::TensorProto::DataType>(kCodes.at(tensor.type())));
  for (const int64_t size : tensor.shape()) proto.add_dims(size);
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
  return proto;
}

}  // namespace

absl::StatusOr<std::vector<NodeCase>> ReadNodeCases(const std::filesystem::path& folder) {
  std::vector<NodeCase> cases;
  for (const char* kind : kFolders) {
    std::error_code error;
    std::set<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(folder / kind, error)) folders.insert(entry.path());
    if (folders.empty()) {
      return NotFound("{} holds no node cases: install libonnx-testdata", (folder / kind).string());
    }
    for (const std::filesystem::path& path : folders) {
      ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path / "model.onnx"));
      NodeCase node_case;
      if (!node_case.model.ParseFromString(bytes)) return DataLoss("{} is no model", path.string());
      const onnx::GraphProto& graph = node_case.model.graph();
      node_case.name = fmt::format("{}/{}", kind, path.filename().string());
      if (!std::ranges::all_of(graph.input(), IsOfNumbers) || !std::ranges::all_of(graph.output(), IsOfNumbers))
        continue;
      absl::StatusOr<std::vector<DataSet>> data_sets = ReadDataSets(path, graph);
      if (!data_sets.ok()) return Annotate(data_sets.status(), node_case.name);
      node_case.data_sets = *std::move(data_sets);
      node_case.family = FamilyOfGraph(graph);
      node_case.is_scored = !node_case.family.empty() && std::ranges::all_of(graph.input(), HasScoredType) &&
                            std::ranges::all_of(graph.output(), HasScoredType) && !InTraining(node_case);
      if (!node_case.is_scored) node_case.family = "other";
      Measure(node_case);
      cases.push_back(std::move(node_case));
    }
  }
  return cases;
}

NodeCase Freeze(NodeCase node_case) {
  onnx::GraphProto& graph = *node_case.model.mutable_graph();
  for (const auto& [name, tensor] : node_case.data_sets.front().inputs) {
    if (!IsFrozenOperand(graph, name)) continue;
    node_case.frozen.push_back(name);
    *graph.add_initializer() = ToProto(name, tensor);
  }
  const auto frozen = [&](const std::string& name) { return std::ranges::count(node_case.frozen, name) > 0; };
  auto* inputs = graph.mutable_input();
  inputs->erase(std::remove_if(inputs->begin(), inputs->end(), [&](const auto& input) { return frozen(input.name()); }),
                inputs->end());
  // The data sets of one case share their parameters, or the later ones are for another model.
  for (DataSet& data : node_case.data_sets)
    std::erase_if(data.inputs, [&](const auto& input) { return frozen(input.first); });
  node_case.has_runtime_input = !node_case.data_sets.front().inputs.empty();
  return node_case;
}

}  // namespace slipway::suites
