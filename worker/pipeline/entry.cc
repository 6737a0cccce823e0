#include "worker/pipeline/entry.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "convert/capabilities/capabilities.h"

namespace slipway {
namespace {

using nlohmann::json;

// Null until somebody knows.
constexpr const char* kArtifactFields[] = {"reason",
                                           "path",
                                           "quantization",
                                           "macs_by_type",
                                           "requires",
                                           "statistics",
                                           "io_schema",
                                           "parity",
                                           "accuracy_delta_l_inf",
                                           "accuracy_delta_rmse",
                                           "ane_op_coverage_pct",
                                           "expected_speedup_m1",
                                           "expected_speedup_m2",
                                           "expected_speedup_m3",
                                           "cache_hit",
                                           "attempts",
                                           "worker",
                                           "jail",
                                           "timings_ms"};

json TextOrNull(std::string_view text) { return text.empty() ? json() : json(text); }

json SourceTensor(const Value& value) {
  json shape;
  if (value.shape) {
    shape = json::array();
    for (const Dim& dim : *value.shape) shape.push_back(dim.IsKnown() ? dim.value() : -1);
  }
  return {{"name", value.name},
          {"shape", shape},
          {"dtype", Name(value.type)},
          {"layout", value.rank() == 4 ? json("NCHW") : json()}};
}

json ArtifactTensor(const InterfaceTensor& tensor) {
  return {{"name", tensor.name},
          {"source", tensor.source},
          {"shape", tensor.shape},
          {"dtype", Name(tensor.type)},
          {"layout", TextOrNull(tensor.layout)},
          {"permutation", tensor.permutation.empty() ? json() : json(tensor.permutation)},
          {"dropped_axis", tensor.dropped_axis < 0 ? json() : json(tensor.dropped_axis)},
          {"quantization", nullptr}};
}

}  // namespace

json ModelEntry(const SpecModel& model, const Graph* graph, int opset) {
  json files = json::array();
  for (const SpecFile& file : model.files) {
    files.push_back({{"path", file.path}, {"bytes", file.digest.bytes}, {"sha256", file.digest.Hex()}});
  }
  json entry = {{"model", model.name},
                {"source",
                 {{"kind", model.kind},
                  {"files", std::move(files)},
                  {"opset", opset > 0 ? json(opset) : json()},
                  {"architecture", TextOrNull(model.architecture)}}},
                {"reference", nullptr},
                {"io_schema", nullptr}};
  if (graph != nullptr) {
    json io = {{"inputs", json::array()}, {"outputs", json::array()}};
    for (const Value* input : graph->inputs()) io["inputs"].push_back(SourceTensor(*input));
    for (const Value* output : graph->outputs()) io["outputs"].push_back(SourceTensor(*output));
    entry["io_schema"] = std::move(io);
  }
  return entry;
}

json ArtifactEntry(const SpecTask& task) {
  json entry = {{"target", task.target},
                {"precision", task.precision},
                {"requested_precision", task.precision},
                {"precisions_tried", json::array({task.precision})},
                {"files", json::array()},
                {"build", BuildId()}};
  for (const char* field : kArtifactFields) entry[field] = nullptr;
  const TargetInfo* target = FindTarget(task.target);
  entry["backend"] = target != nullptr ? json(target->backend) : json();
  entry["cache_hit"] = false;
  return entry;
}

json ToJson(const IoSchema& io) {
  json result = {{"inputs", json::array()}, {"outputs", json::array()}};
  for (const InterfaceTensor& input : io.inputs) result["inputs"].push_back(ArtifactTensor(input));
  for (const InterfaceTensor& output : io.outputs) result["outputs"].push_back(ArtifactTensor(output));
  return result;
}

std::string FailedEntry(const SpecModel& model, const SpecTask& task, std::string_view reason) {
  if (task.kind == SpecTask::Kind::kPrepare) return EntryText(ModelEntry(model, nullptr, 0));
  json entry = ArtifactEntry(task);
  entry["status"] = "failed";
  entry["reason"] = reason;
  return EntryText(entry);
}

std::string EntryText(const json& entry) { return entry.dump(-1, ' ', false, json::error_handler_t::replace); }

void Timings::Begin(std::string_view step) {
  const absl::Time now = absl::Now();
  if (!step_.empty()) milliseconds_[step_] += absl::ToDoubleMilliseconds(now - began_);
  step_ = step;
  began_ = now;
}

json Timings::ToJson() {
  Begin("");
  json result = json::object();
  for (const auto& [step, milliseconds] : milliseconds_) result[step] = std::round(milliseconds * 100) / 100;
  return result;
}

}  // namespace slipway
