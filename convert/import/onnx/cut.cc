#include "convert/import/onnx/cut.h"

#include <algorithm>
#include <fstream>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "convert/import/onnx/node_order.h"
#include "convert/import/onnx/wire.h"
#include "convert/ir/cast.h"
#include "convert/onnx_form/onnx.pb.h"

namespace slipway {
namespace onnx_import {
namespace {

using NameSet = absl::flat_hash_set<std::string_view>;

// Marks the nodes from which `names` are computed, going no further back than `stop`.
void MarkProducers(const GraphView& graph, const std::vector<std::string_view>& names, const NameSet& stop,
                   std::vector<bool>& marked) {
  absl::flat_hash_map<std::string_view, size_t> producers;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string_view output : graph.nodes[i].outputs) producers.emplace(output, i);
  }
  std::vector<std::string_view> open = names;
  while (!open.empty()) {
    const std::string_view name = open.back();
    open.pop_back();
    const auto producer = producers.find(name);
    if (name.empty() || stop.contains(name) || producer == producers.end() || marked[producer->second]) continue;
    marked[producer->second] = true;
    const std::vector<std::string_view> reads = NamesRead(graph.nodes[producer->second]);
    open.insert(open.end(), reads.begin(), reads.end());
  }
}

// What `nodes` read, and `more`.
NameSet NamesRead(const std::vector<NodeView>& nodes, const std::vector<std::string>& more) {
  NameSet names(more.begin(), more.end());
  for (const NodeView& node : nodes) {
    const std::vector<std::string_view> reads = NamesRead(node);
    names.insert(reads.begin(), reads.end());
  }
  return names;
}

std::vector<std::string_view> OutputNames(const GraphView& graph, const InterfaceOptions& options) {
  if (!options.cut_outputs.empty()) return {options.cut_outputs.begin(), options.cut_outputs.end()};
  std::vector<std::string_view> names;
  for (const ValueInfoView& output : graph.outputs) names.push_back(output.name);
  return names;
}

}  // namespace

std::optional<Cut> PlanCut(const ModelView& model, const InterfaceOptions& options) {
  if (options.cut_inputs.empty() && options.cut_outputs.empty()) return std::nullopt;
  const GraphView& graph = model.graph;
  NameSet names;
  for (const ValueInfoView& input : graph.inputs) names.insert(input.name);
  for (const TensorView& tensor : graph.initializers) names.insert(tensor.name);
  for (const NodeView& node : graph.nodes) names.insert(node.outputs.begin(), node.outputs.end());
  for (const auto* cuts : {&options.cut_inputs, &options.cut_outputs}) {
    for (const std::string& name : *cuts) {
      if (name.empty() || !names.contains(name)) return std::nullopt;
    }
  }
  Cut cut{std::vector<bool>(graph.nodes.size()), std::vector<bool>(graph.nodes.size())};
  MarkProducers(graph, OutputNames(graph, options), NameSet(options.cut_inputs.begin(), options.cut_inputs.end()),
                cut.kept);
  cut.behind = cut.kept;
  MarkProducers(graph, {options.cut_inputs.begin(), options.cut_inputs.end()}, {}, cut.behind);
  for (size_t i = 0; i < cut.kept.size(); ++i) cut.behind[i] = cut.behind[i] && !cut.kept[i];
  return cut;
}

void ApplyCut(const Cut& cut, const InterfaceOptions& options, ModelView& model) {
  GraphView& graph = model.graph;
  std::vector<NodeView> nodes;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!cut.kept[i] && !cut.behind[i]) continue;
    nodes.push_back(std::move(graph.nodes[i]));
    nodes.back().is_cut_off = cut.behind[i];
  }
  graph.nodes = std::move(nodes);
  NameSet read = NamesRead(graph.nodes, options.cut_inputs);
  for (const std::string_view output : OutputNames(graph, options)) read.insert(output);
  std::erase_if(graph.initializers, [&](const TensorView& tensor) { return !read.contains(tensor.name); });
  std::erase_if(graph.inputs, [&](const ValueInfoView& input) {
    return !read.contains(input.name) && !options.fix.contains(std::string(input.name)) &&
           !options.shapes.contains(std::string(input.name));
  });
  if (options.cut_outputs.empty()) return;
  std::vector<ValueInfoView> outputs;
  for (const std::string& name : options.cut_outputs) {
    ValueInfoView& output = outputs.emplace_back();
    for (const auto* infos : {&graph.values, &graph.outputs}) {
      const auto info = std::ranges::find(*infos, name, &ValueInfoView::name);
      if (info != infos->end()) output = *info;
    }
    output.name = name;
  }
  graph.outputs = std::move(outputs);
}

}  // namespace onnx_import

namespace {

using onnx_import::FunctionView;
using onnx_import::ModelView;
using onnx_import::NodeView;
using onnx_import::WireReader;

void AppendVarint(std::string& bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

std::string LengthDelimited(int field, uint64_t size) {
  constexpr uint64_t kLengthDelimited = 2;
  std::string bytes;
  AppendVarint(bytes, static_cast<uint64_t>(field) << 3 | kLengthDelimited);
  AppendVarint(bytes, size);
  return bytes;
}

// Functions that the nodes call, and those that these call.
std::vector<bool> FunctionsCalled(const ModelView& model, const std::vector<bool>& kept) {
  std::vector<bool> called(model.functions.size());
  std::vector<const NodeView*> open;
  const auto add = [&](const std::vector<NodeView>& nodes) {
    for (const NodeView& node : nodes) open.push_back(&node);
  };
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) open.push_back(&model.graph.nodes[i]);
  }
  while (!open.empty()) {
    const NodeView& node = *open.back();
    open.pop_back();
    for (const auto& attribute : node.attributes) {
      if (attribute.g != nullptr) add(attribute.g->nodes);
    }
    for (size_t i = 0; i < called.size(); ++i) {
      const FunctionView& function = model.functions[i];
      if (called[i] || function.name != node.op_type || function.domain != node.domain) continue;
      called[i] = true;
      add(function.nodes);
    }
  }
  return called;
}

// The cut's inputs and outputs, and what is fixed: a `graph` that protobuf merges with the one before it.
std::string InterfaceOf(const Graph& cut, const InterfaceOptions& options) {
  onnx::ModelProto model;
  onnx::GraphProto& graph = *model.mutable_graph();
  for (const Value* input : cut.inputs()) {
    onnx::ValueInfoProto& info = *graph.add_input();
    info.set_name(input->name);
    info.mutable_type()->mutable_tensor_type()->set_elem_type(static_cast<int32_t>(ElementTypeCode(input->type)));
  }
  for (const Value* output : cut.outputs()) graph.add_output()->set_name(output->name);
  for (const auto& [name, values] : options.fix) {
    const Value* fixed = cut.Find(name);
    if (fixed == nullptr || !fixed->IsConstant()) continue;
    onnx::TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(static_cast<int32_t>(ElementTypeCode(fixed->type)));
    for (const int64_t size : fixed->constant->shape()) tensor.add_dims(size);
    const std::span<const std::byte> bytes = fixed->constant->bytes();
    tensor.set_raw_data(bytes.data(), bytes.size());
  }
  return model.SerializeAsString();
}

// The pieces of the file's graph that the cut keeps: field number and contents.
absl::StatusOr<std::vector<std::pair<int, std::span<const std::byte>>>> KeptPieces(
    std::span<const std::byte> file, const ModelView& view, const std::vector<bool>& kept,
    const std::vector<std::string>& cut_inputs) {
  using P = onnx::GraphProto;
  absl::flat_hash_set<std::string_view> read;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) continue;
    for (const std::string_view name : onnx_import::NamesRead(view.graph.nodes[i])) read.insert(name);
  }
  for (const std::string& name : cut_inputs) read.erase(name);
  std::vector<std::pair<int, std::span<const std::byte>>> pieces;
  size_t node = 0, initializer = 0;
  WireReader model(file);
  while (model.Next()) {
    if (model.field() != onnx::ModelProto::kGraphFieldNumber) continue;
    WireReader graph(model.Bytes());
    while (graph.Next()) {
      const int field = graph.field();
      const bool keep = field == P::kNodeFieldNumber ? kept[node++]
                        : field == P::kInitializerFieldNumber
                            ? read.contains(view.graph.initializers[initializer++].name)
                            : field == P::kNameFieldNumber || field == P::kSparseInitializerFieldNumber;
      if (keep) pieces.emplace_back(field, graph.Bytes());
    }
    RETURN_IF_ERROR(graph.status());
  }
  RETURN_IF_ERROR(model.status());
  return pieces;
}

}  // namespace

absl::StatusOr<bool> CutsFile(const Source& source) {
  if (source.interface.cut_inputs.empty() && source.interface.cut_outputs.empty()) return false;
  ASSIGN_OR_RETURN(const ModelView view, onnx_import::ReadModelView(source.main.file->bytes()));
  return onnx_import::PlanCut(view, source.interface).has_value();
}

absl::Status WriteCutOnnx(const Source& source, const Graph& cut, const std::filesystem::path& file) {
  const std::span<const std::byte> bytes = source.main.file->bytes();
  ASSIGN_OR_RETURN(const ModelView view, onnx_import::ReadModelView(bytes));
  const std::optional<onnx_import::Cut> plan = onnx_import::PlanCut(view, source.interface);
  if (!plan) return Internal("{} cannot be cut in the file", source.main.path);
  ASSIGN_OR_RETURN(const auto pieces, KeptPieces(bytes, view, plan->kept, source.interface.cut_inputs));
  uint64_t size = 0;
  for (const auto& [field, contents] : pieces) size += LengthDelimited(field, contents.size()).size() + contents.size();

  onnx::ModelProto head;
  head.set_ir_version(view.ir_version);
  for (const auto& [domain, version] : view.opsets) {
    onnx::OperatorSetIdProto& opset = *head.add_opset_import();
    opset.set_domain(std::string(domain));
    opset.set_version(version);
  }
  std::ofstream out(file, std::ios::binary);
  const auto write = [&](int field, std::span<const std::byte> contents) {
    out << LengthDelimited(field, contents.size());
    out.write(reinterpret_cast<const char*>(contents.data()), static_cast<std::streamsize>(contents.size()));
  };
  out << head.SerializeAsString();
  const std::vector<bool> called = FunctionsCalled(view, plan->kept);
  size_t function = 0;
  WireReader model(bytes);
  while (model.Next()) {
    if (model.field() == onnx::ModelProto::kFunctionsFieldNumber && called[function++])
      write(model.field(), model.Bytes());
  }
  out << LengthDelimited(onnx::ModelProto::kGraphFieldNumber, size);
  for (const auto& [field, contents] : pieces) write(field, contents);
  out << InterfaceOf(cut, source.interface);
  out.close();
  return out ? absl::OkStatus() : ErrnoStatus(EIO, "write " + file.filename().string());
}

}  // namespace slipway
