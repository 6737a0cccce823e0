#include "tests/suites/run_case.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/interface.h"
#include "convert/targets/convert.h"

namespace slipway::suites {
namespace {

constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;

CaseResult Failed(std::string_view stage, const absl::Status& status) { return {std::string(stage), Message(status)}; }

const Tensor* Find(const NamedTensors& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensors::value_type::first);
  return found == tensors.end() ? nullptr : &found->second;
}

// NaN equals NaN, infinities equal themselves.
bool IsClose(double actual, double expected, bool exact) {
  if (actual == expected || (std::isnan(actual) && std::isnan(expected))) return true;
  return !exact && std::abs(actual - expected) <= kAbsolute + kRelative * std::abs(expected);
}

absl::Status CompareTensor(const std::string& name, const Tensor& actual, const Tensor& expected) {
  if (actual.type() != expected.type() || actual.shape() != expected.shape()) {
    return InvalidArgument("'{}' is {} {} instead of {} {}", name, Name(actual.type()), ToString(actual.shape()),
                           Name(expected.type()), ToString(expected.shape()));
  }
  const std::vector<double> a = actual.ToDoubles();
  const std::vector<double> e = expected.ToDoubles();
  for (size_t i = 0; i < a.size(); ++i) {
    if (!IsClose(a[i], e[i], !IsFloat(expected.type())))
      return InvalidArgument("'{}'[{}] is {} instead of {}", name, i, a[i], e[i]);
  }
  return absl::OkStatus();
}

absl::Status CompareConstants(const Graph& graph, const DataSet& data) {
  for (size_t i = 0; i < data.outputs.size(); ++i) {
    const auto& [name, expected] = data.outputs[i];
    const Value* value = graph.outputs().at(i);
    if (!value->IsConstant()) return InvalidArgument("'{}' did not fold to a constant", name);
    RETURN_IF_ERROR(CompareTensor(name, *value->constant, expected));
  }
  return absl::OkStatus();
}

absl::StatusOr<NamedTensors> RunSession(Session& session, const Emitted& emitted, const DataSet& data) {
  NamedTensors inputs;
  for (const InterfaceTensor& input : emitted.io.inputs) {
    const Tensor* source = Find(data.inputs, input.source);
    if (source == nullptr)
      return InvalidArgument("input '{}' stands for '{}', which the case does not have", input.name, input.source);
    ASSIGN_OR_RETURN(Tensor tensor, ToArtifact(*source, input));
    inputs.emplace_back(input.name, std::move(tensor));
  }
  std::set<std::string> names;
  for (const InterfaceTensor& output : emitted.io.outputs) names.insert(output.name);
  return session.Run(inputs, {names.begin(), names.end()});
}

absl::Status CompareOutputs(const NamedTensors& tensors, const Emitted& emitted, const DataSet& data) {
  for (const auto& [name, expected] : data.outputs) {
    const auto interface = std::ranges::find(emitted.io.outputs, name, &InterfaceTensor::source);
    if (interface == emitted.io.outputs.end()) return InvalidArgument("output '{}' is missing", name);
    const Tensor* raw = Find(tensors, interface->name);
    if (raw == nullptr) return InvalidArgument("output '{}' did not come out", name);
    absl::StatusOr<Tensor> tensor = ToSource(*raw, *interface, expected.type());
    if (!tensor.ok()) return Annotate(tensor.status(), fmt::format("output '{}'", name));
    // A scalar that the format cannot say.
    if (expected.rank() == 0 && interface->shape == std::vector<int64_t>{1}) *tensor = tensor->Reshaped({});
    RETURN_IF_ERROR(CompareTensor(name, *tensor, expected));
  }
  return absl::OkStatus();
}

CaseResult RunDialect(HostProvider& hosts, const NodeCase& node_case, const Graph& graph,
                      const std::filesystem::path& scratch) {
  if (absl::Status valid = graph.Validate(); !valid.ok()) return Failed("import", valid);
  const std::filesystem::path file = scratch / "dialect.onnx";
  std::error_code error;
  std::filesystem::remove(file, error);
  if (absl::Status written = WriteOnnxFile(graph, {}, file).status(); !written.ok()) return Failed("convert", written);
  const absl::StatusOr<std::unique_ptr<Session>> session = LoadReference(hosts, file);
  if (!session.ok()) return Failed("run", session.status());
  for (const DataSet& data : node_case.data_sets) {
    NamedTensors inputs;
    for (const auto& input : data.inputs) {
      if (graph.Find(input.first) != nullptr) inputs.push_back(input);
    }
    std::vector<std::string> names;
    for (const auto& output : data.outputs) names.push_back(output.first);
    const absl::StatusOr<NamedTensors> tensors = (*session)->Run(inputs, names);
    if (!tensors.ok()) return Failed("run", tensors.status());
    for (size_t i = 0; i < names.size(); ++i) {
      const absl::Status compared = CompareTensor(names[i], (*tensors)[i].second, data.outputs[i].second);
      if (!compared.ok()) return Failed("compare", compared);
    }
  }
  return {};
}

}  // namespace

bool IsAddressable(const NodeCase& node_case, std::string_view target) {
  if (target == kDialect) return true;
  if (!node_case.is_scored) return false;
  if (target == "tflite") return node_case.max_rank <= 6;
  if (target == "coreml") return node_case.max_rank <= 5 && !node_case.has_empty;
  if (target == "ncnn") return node_case.max_rank <= 4 && node_case.has_float;
  return true;
}

CaseResult RunCase(HostProvider& hosts, const NodeCase& node_case, std::string_view target,
                   const std::filesystem::path& scratch) {
  const std::filesystem::path file = scratch / "model.onnx";
  if (absl::Status written = WriteFileAtomically(file, node_case.model.SerializeAsString()); !written.ok())
    return Failed("import", written);
  Source source;
  source.main.path = "model.onnx";
  absl::StatusOr<std::shared_ptr<const MappedFile>> mapped = MappedFile::Open(file);
  if (!mapped.ok()) return Failed("import", mapped.status());
  source.main.file = *mapped;
  absl::StatusOr<Imported> imported = Import(source);
  if (!imported.ok()) return Failed("import", imported.status());
  if (target == kDialect) return RunDialect(hosts, node_case, *imported->model.graph, scratch);
  if (!node_case.has_runtime_input) {
    const absl::Status folded = CompareConstants(*imported->model.graph, node_case.data_sets.front());
    return folded.ok() ? CaseResult{} : Failed("compare", folded);
  }

  const std::filesystem::path folder = scratch / "artifact";
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directory(folder, error);
  absl::StatusOr<Emitted> emitted = ConvertTo(*FindTargetByName(target), std::move(imported->model.graph),
                                              {.model_name = "model", .precision = "fp32"}, folder);
  if (!emitted.ok()) return Failed("convert", emitted.status());

  for (const std::string& configuration : JudgeConfigurations(target, "fp32")) {
    const auto annotated = [&](const absl::Status& status) { return Annotate(status, configuration); };
    absl::StatusOr<std::unique_ptr<Session>> session =
        LoadArtifact(hosts, target, configuration, folder / emitted->path);
    if (!session.ok()) return Failed("run", annotated(session.status()));
    for (const DataSet& data : node_case.data_sets) {
      const absl::StatusOr<NamedTensors> tensors = RunSession(**session, *emitted, data);
      if (!tensors.ok()) return Failed("run", annotated(tensors.status()));
      if (absl::Status compared = CompareOutputs(*tensors, *emitted, data); !compared.ok())
        return Failed("compare", annotated(compared));
    }
  }
  return {};
}

}  // namespace slipway::suites
