#include <cmath>
#include <nlohmann/json.hpp>

#include "convert/parity/parity.h"

namespace slipway {
namespace {

using nlohmann::json;

json Number(double value) { return std::isfinite(value) ? json(value) : json(); }

std::string_view RoleName(OutputRole role) {
  return role == OutputRole::kBeforeActivation ? "before_activation" : "output";
}

std::string_view KindName(OutputRole role) {
  switch (role) {
    case OutputRole::kRaw:
      return "raw";
    case OutputRole::kProbability:
      return "probability";
    case OutputRole::kBeforeActivation:
      return "before_activation";
    case OutputRole::kInteger:
      return "integer";
  }
  return "";
}

json ToJson(const Gate& gate) {
  json limits = json::object();
  const auto add = [&](const char* name, const std::optional<double>& limit) {
    if (limit) limits[name] = *limit;
  };
  add("l_inf", gate.l_inf);
  add("l_inf_scaled", gate.l_inf_scaled);
  add("mean_abs", gate.mean_abs);
  add("rmse", gate.rmse);
  add("snr_db", gate.snr_db);
  add("agreement", gate.agreement);
  return limits;
}

json ToJson(const Metrics& m) {
  return {{"l_inf", Number(m.l_inf)},   {"l_inf_scaled", Number(m.l_inf_scaled)},
          {"p999", Number(m.p999)},     {"mean_abs", Number(m.mean_abs)},
          {"rmse", Number(m.rmse)},     {"cosine", Number(m.cosine)},
          {"snr_db", Number(m.snr_db)}, {"agreement", Number(m.agreement)}};
}

json ToJson(const OutputFigures& output) {
  json figures = ToJson(output.metrics);
  figures["name"] = output.name;
  figures["role"] = std::string(RoleName(output.role));
  return figures;
}

// Figures of the layers, and the first that is further off than a raw output may be (null: none).
void AddLayers(const JudgeRequest& request, const JudgeRun& run, json& report) {
  const Gate gate = request.GateOf(OutputRole::kRaw);
  json layers = json::array();
  json first;
  for (const LayerFigures& layer : run.layers) {
    json figures = ToJson(layer.metrics);
    figures["name"] = layer.name;
    figures["source"] = layer.source;
    figures["finite"] = layer.metrics.finite;
    if (first.is_null() && !gate.Holds(layer.metrics)) first = layer.name;
    layers.push_back(std::move(figures));
  }
  report["layers"] = std::move(layers);
  report["first_diverging_layer"] = std::move(first);
}

json ToJson(const JudgeRun& run, bool detailed) {
  json outputs = json::array();
  for (const OutputFigures& output : run.outputs) {
    json figures = ToJson(output);
    if (detailed) {
      figures["kind"] = std::string(KindName(output.role));
      figures["elements"] = output.metrics.elements;
      figures["finite"] = output.metrics.finite;
    }
    outputs.push_back(std::move(figures));
  }
  json result = {{"verified_by",
                  {{"name", run.verified_by.name},
                   {"version", run.verified_by.version.empty() ? json() : json(run.verified_by.version)},
                   {"kind", run.verified_by.kind},
                   {"configuration", run.verified_by.configuration},
                   {"cpu_features", run.verified_by.cpu_features}}},
                 {"verdict", std::string(Name(run.verdict))},
                 {"outputs", std::move(outputs)}};
  if (detailed) result["reason"] = run.reason.empty() ? json() : json(run.reason);
  return result;
}

json Whole(const ParityResult& result, bool detailed) {
  json thresholds = json::object();
  for (const auto& [role, gate] : result.thresholds) thresholds[std::string(KindName(role))] = ToJson(gate);
  json runs = json::array();
  for (const JudgeRun& run : result.runs) runs.push_back(ToJson(run, detailed));
  return {{"verdict", std::string(Name(result.verdict))},
          {"samples", result.samples},
          {"thresholds", std::move(thresholds)},
          {"runs", std::move(runs)}};
}

}  // namespace

json ParityResult::ToJson() const { return Whole(*this, false); }

json ParityReport(const JudgeRequest& request, const ParityResult& result) {
  json report = Whole(result, true);
  for (size_t i = 0; i < result.runs.size(); ++i) AddLayers(request, result.runs[i], report["runs"][i]);
  report["schema"] = "slipway.parity/1";
  report["target"] = request.target;
  report["precision"] = request.precision;
  report["artifact"] = request.emitted.path;
  report["reason"] = result.reason.empty() ? json() : json(result.reason);
  return report;
}

}  // namespace slipway
