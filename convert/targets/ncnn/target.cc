#include "convert/targets/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/passes.h"
#include "convert/targets/ncnn/emitter.h"
#include "convert/targets/ncnn/legalize/legalize.h"
#include "convert/targets/ncnn/ops/ops.h"

namespace slipway {
namespace ncnn {
namespace {

// Broadcasting of equal ranks in BinaryOp, axes of 4-D blobs in Reduction, Crop and Permute.
constexpr std::string_view kRequires = "ncnn >= 20230816";

absl::Status CheckValue(const Node& node, const Value* value) {
  if (value == nullptr) return absl::OkStatus();
  if (!value->shape)
    return Unsupported(node, fmt::format("the rank of '{}' is not known", value->name),
                       "fix the input sizes with --shape");
  // Whole numbers are held as float32, which is exact up to 2^24; casts and what only moves data take them. A shape that a Resize reads is no blob.
  const bool whole = IsInteger(value->type) && (node.kind == OpKind::kCast || node.kind == OpKind::kResize ||
                                                node.kind == OpKind::kConcat || FindOpEmitter(node.kind)->moves_data);
  if (value->type != DataType::kFloat32 && value->type != DataType::kBool && !whole) {
    return Unsupported(node, fmt::format("'{}' is of {}", value->name, Name(value->type)),
                       "NCNN computes in float32; whole numbers have to fold away");
  }
  const Shape shape = BlobShape(*value);
  if (static_cast<int64_t>(shape.size()) > kMaxBlobRank) {
    return Unsupported(node, fmt::format("'{}' is {}", value->name, ToString(*value->shape)),
                       "an NCNN blob has four axes, a batch of 1 not counted");
  }
  if (std::ranges::find(shape, Dim(0)) != shape.end())
    return Unsupported(node, fmt::format("'{}' is empty", value->name), "NCNN has no empty blobs");
  return absl::OkStatus();
}

InterfaceTensor Describe(const Value& value, std::string blob) {
  InterfaceTensor tensor;
  tensor.name = std::move(blob);
  tensor.source = value.origin.known() ? value.origin.source : value.name;
  for (const Dim& dim : BlobShape(value)) tensor.shape.push_back(dim.IsKnown() ? dim.value() : -1);
  tensor.type = HoldsIntegers(value) ? DataType::kInt32 : DataType::kFloat32;
  if (value.rank() == 4) tensor.layout = value.origin.permutation.empty() ? "NCHW" : "NHWC";
  tensor.permutation = value.origin.permutation;
  tensor.dropped_axis = DropsBatch(value) ? 0 : -1;
  return tensor;
}

// What an interface value must be, for graphs whose nodes do not say it (an input that is an output).
absl::Status CheckInterface(const Value& value) {
  if (!value.shape || (value.type != DataType::kFloat32 && value.type != DataType::kBool && !IsInteger(value.type)) ||
      static_cast<int64_t>(BlobShape(value).size()) > kMaxBlobRank || !KeepsAxes(value)) {
    return Unimplemented(
        "'{}' ({} {}) cannot be an NCNN blob: it has to be of numbers or truth values and at most {} axes, a batch of "
        "1 not "
        "counted",
        value.name, Name(value.type), value.shape ? ToString(*value.shape) : "of unknown rank", kMaxBlobRank);
  }
  return absl::OkStatus();
}

class Ncnn final : public Target {
 public:
  std::string_view name() const override { return "ncnn"; }

  absl::Status Legalize(Graph& graph, const TargetOptions& options) const override { return ncnn::Legalize(graph); }

  absl::Status Check(const Node& node, const TargetOptions& options) const override {
    const OpEmitter* op = FindOpEmitter(node.kind);
    if (op == nullptr && (node.kind == OpKind::kShape || node.kind == OpKind::kRange ||
                          node.kind == OpKind::kConstantOfShape || node.kind == OpKind::kExpand))
      return Unsupported(node, "sizes that only the run knows", "fix the input's sizes with --shape");
    if (op == nullptr)
      return Unsupported(node, "NCNN has no layer for it",
                         "cut it off with --cut-outputs, or compute it outside the model");
    RETURN_IF_ERROR(CheckValue(node, node.input(0)));
    for (const Value* input : node.inputs) {
      if (input != nullptr && !input->IsConstant()) RETURN_IF_ERROR(CheckValue(node, input));
    }
    for (const Value* output : node.outputs) RETURN_IF_ERROR(CheckValue(node, output));
    for (const auto* values : {&node.inputs, &node.outputs}) {
      for (const Value* value : *values) {
        if (op->moves_data || value == nullptr || value->IsConstant() || KeepsAxes(*value)) continue;
        return Unsupported(node, fmt::format("'{}' is {}", value->name, ToString(*value->shape)),
                           "an NCNN blob has four axes, a batch of 1 not counted");
      }
    }
    return op->check(node);
  }

  absl::StatusOr<Emitted> Emit(const Graph& graph, const TargetOptions& options,
                               const std::filesystem::path& folder) const override {
    LayerList layers;
    Emitter emitter(layers);
    for (const Value* input : graph.inputs()) {
      RETURN_IF_ERROR(CheckInterface(*input));
      emitter.Input(input);
    }
    // Outputs get their own names before any inner blob can take them.
    for (const Value* output : graph.outputs()) {
      RETURN_IF_ERROR(CheckInterface(*output));
      if (output->producer != nullptr) emitter.Name(output);
    }
    for (const auto& node : graph.nodes()) {
      RETURN_IF_ERROR(FindOpEmitter(node->kind)->emit(*node, emitter));
    }
    Emitted emitted;
    std::vector<std::string> outputs;
    for (const Value* output : graph.outputs()) {
      outputs.push_back(emitter.Output(output));
      emitted.io.outputs.push_back(Describe(*output, outputs.back()));
    }
    for (const Value* input : graph.inputs()) emitted.io.inputs.push_back(Describe(*input, emitter.Name(input)));
    layers.InsertSplits(outputs);
    for (const Value* value : graph.values()) {
      if (value->producer != nullptr && value->origin.known() && emitter.Has(value) && KeepsAxes(*value)) {
        emitted.values.push_back({emitter.Name(value), value->origin, DropsBatch(*value) ? 0 : -1});
      }
    }
    emitted.path = options.model_name + ".param";
    emitted.files = {emitted.path, options.model_name + ".bin"};
    emitted.requires_runtime = kRequires;
    RETURN_IF_ERROR(layers.Write(folder / emitted.files[0], folder / emitted.files[1]));
    return emitted;
  }
};

}  // namespace
}  // namespace ncnn

const Target& NcnnTarget() {
  static const ncnn::Ncnn target;
  return target;
}

}  // namespace slipway
