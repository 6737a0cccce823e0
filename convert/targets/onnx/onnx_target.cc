#include <algorithm>
#include <optional>

#include "common/base/error.h"
#include "common/base/output_file.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/targets/target.h"

namespace slipway {
namespace {

// Above this many bytes of weights they go to a file beside the model: a protobuf message ends at 2 GiB.
constexpr uint64_t kExternalFrom = uint64_t{1900} << 20;

uint64_t ConstantBytes(const Graph& graph) {
  uint64_t bytes = 0;
  for (const Value* value : graph.values()) {
    if (value->constant) bytes += value->constant->bytes().size();
  }
  return bytes;
}

InterfaceTensor Describe(const Value& value) {
  InterfaceTensor tensor;
  tensor.name = value.name;
  tensor.source = value.origin.known() ? value.origin.source : value.name;
  tensor.type = value.type;
  for (const Dim& dim : value.shape.value_or(Shape{})) tensor.shape.push_back(dim.IsKnown() ? dim.value() : -1);
  if (value.rank() == 4) tensor.layout = value.origin.permutation.empty() ? "NCHW" : "NHWC";
  tensor.permutation = value.origin.permutation;
  return tensor;
}

// ONNX is the dialect's own home: core IR is written as it stands.
class Onnx final : public Target {
 public:
  std::string_view name() const override { return "onnx"; }

  absl::Status Legalize(Graph&, const TargetOptions&) const override { return absl::OkStatus(); }

  absl::Status Check(const Node& node, const TargetOptions&) const override { return CheckOnnxForm(node); }

  absl::StatusOr<Emitted> Emit(const Graph& graph, const TargetOptions& options,
                               const std::filesystem::path& folder) const override {
    if (options.precision != "fp32") return Unimplemented("the ONNX target writes fp32, not {}", options.precision);
    Emitted emitted;
    emitted.path = options.model_name + ".onnx";
    emitted.files = {emitted.path};
    OnnxFormOptions form;
    form.opset = options.opset;
    std::optional<OutputFile> weights;
    if (ConstantBytes(graph) > kExternalFrom) {
      form.external_file = emitted.path + ".data";
      emitted.files.push_back(form.external_file);
      ASSIGN_OR_RETURN(weights, OutputFile::Create(folder / form.external_file));
      form.external_sink = [&](std::span<const std::byte> bytes) { return weights->Write(bytes); };
    }
    ASSIGN_OR_RETURN(const OnnxFormInfo info, WriteOnnxFile(graph, form, folder / emitted.path));
    if (weights) RETURN_IF_ERROR(weights->Close());
    emitted.requires_runtime = fmt::format("opset {}", info.opset);

    for (const Value* input : graph.inputs()) emitted.io.inputs.push_back(Describe(*input));
    for (const Value* output : graph.outputs()) emitted.io.outputs.push_back(Describe(*output));
    for (const Value* value : graph.values()) {
      if (!value->constant && value->producer != nullptr && value->origin.known())
        emitted.values.push_back({value->name, value->origin, -1});
    }
    return emitted;
  }
};

}  // namespace

const Target& OnnxTarget() {
  static const Onnx target;
  return target;
}

}  // namespace slipway
