#include "common/base/error.h"
#include "convert/inspect/formats.h"
#include "convert/targets/tflite/reader/reader.h"

namespace slipway::inspect {
namespace {

using namespace tflite_reader;  // NOLINT: what it reads

TensorSummary Describe(const TensorInfo& tensor) {
  TensorSummary summary{.name = tensor.name, .type = tensor.type};
  if (tensor.has_rank) summary.shape = Texts(tensor.shape);
  return summary;
}

// A signature's names are those that a caller uses.
std::vector<TensorSummary> Interface(const SubgraphInfo& graph, const std::vector<int>& tensors,
                                     const std::vector<SignatureTensor>* names) {
  std::vector<TensorSummary> list;
  for (const int tensor : tensors) {
    list.push_back(Describe(graph.tensors[static_cast<size_t>(tensor)]));
    if (names == nullptr) continue;
    for (const SignatureTensor& named : *names) {
      if (named.tensor == tensor) list.back().name = named.name;
    }
  }
  return list;
}

}  // namespace

absl::StatusOr<ModelSummary> InspectTflite(const std::filesystem::path& path, const File& file) {
  ASSIGN_OR_RETURN(const ModelInfo model, ReadTflite(file->bytes()));
  ModelSummary summary{.format = "tflite", .producer = model.description};
  summary.facts.emplace_back("version", std::to_string(model.version));
  if (!model.min_runtime_version.empty()) summary.facts.emplace_back("min runtime version", model.min_runtime_version);
  summary.files.push_back({path.string(), file->bytes().size()});
  const SignatureInfo* signature = nullptr;
  for (const SignatureInfo& one : model.signatures) {
    summary.facts.emplace_back("signature", one.key);
    if (one.subgraph == 0 && signature == nullptr) signature = &one;
  }
  const SubgraphInfo& main = model.subgraphs[0];
  summary.inputs = Interface(main, main.inputs, signature == nullptr ? nullptr : &signature->inputs);
  summary.outputs = Interface(main, main.outputs, signature == nullptr ? nullptr : &signature->outputs);
  for (size_t i = 0; i < model.subgraphs.size(); ++i) {
    const SubgraphInfo& graph = model.subgraphs[i];
    for (const TensorInfo& tensor : graph.tensors) {
      if (tensor.constant_bytes == 0) continue;
      const auto bits = static_cast<int64_t>(tensor.constant_bytes) * 8;
      const int64_t element = tensor.bits == 0 ? 8 : tensor.bits;
      AddWeight(summary, tensor.type, bits / element, element);
    }
    for (const OperatorInfo& op : graph.operators) {
      NodeSummary node{.op = op.name};
      if (i > 0) node.inside = graph.name.empty() ? fmt::format("sub-graph {}", i) : graph.name;
      for (const int input : op.inputs)
        node.inputs.push_back(input < 0 ? "" : graph.tensors[static_cast<size_t>(input)].name);
      for (const int output : op.outputs) node.outputs.push_back(Describe(graph.tensors[static_cast<size_t>(output)]));
      summary.nodes.push_back(std::move(node));
    }
  }
  return summary;
}

}  // namespace slipway::inspect
