// slipway compare BASELINE VARIANT...: two model files, or more, on the same inputs.
#include "convert/compare/compare.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/outcome.h"
#include "client/cli/verb.h"
#include "client/embedded/embedded_farm.h"
#include "client/embedded/process.h"
#include "client/lib/interrupts.h"
#include "client/report/text.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/installation.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using compare::Comparison;
using compare::Side;
using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

// One variant's end: a comparison, or why there is none.
struct Compared {
  fs::path path;
  std::string target, precision;
  absl::StatusOr<Comparison> comparison;
};

std::string Figure(double value) { return std::isfinite(value) ? fmt::format("{:.3g}", value) : "-"; }
std::string Decibels(double value) {
  return std::isnan(value) ? "-" : std::isinf(value) ? "equal" : fmt::format("{:.1f}", value);
}

std::string Limits(const Gate& gate) {
  std::string text;
  const auto add = [&](std::string_view what, const std::optional<double>& limit) {
    if (limit) text += fmt::format("{}{} {:g}", text.empty() ? "" : ", ", what, *limit);
  };
  add("max abs <", gate.l_inf);
  add("relative <=", gate.l_inf_scaled);
  add("mean abs <", gate.mean_abs);
  add("RMSE <", gate.rmse);
  add("SNR >=", gate.snr_db);
  add("equal >=", gate.agreement);
  return text.empty() ? "none" : text;
}

// The first inner tensor that is further off than a raw output may be.
const LayerFigures* FirstDiverging(const Comparison& comparison, const JudgeRun& run) {
  const Gate gate = comparison.request.GateOf(OutputRole::kRaw);
  for (const LayerFigures& layer : run.layers) {
    if (!gate.Holds(layer.metrics)) return &layer;
  }
  return nullptr;
}

void Print(const Rows& rows) {
  for (const std::string& line : Columns(rows)) std::puts(("    " + line).c_str());
}

void Print(const Comparison& comparison) {
  for (const JudgeRun& run : comparison.result.runs) {
    std::puts(fmt::format("  {} {} ({}): {}{}", run.verified_by.name, run.verified_by.version,
                          run.verified_by.configuration, Name(run.verdict), run.reason.empty() ? "" : ", " + run.reason)
                  .c_str());
    Rows rows = {{"output", "max abs", "relative", "mean abs", "cosine", "SNR dB", "top-1", "limit"}};
    for (const OutputFigures& output : run.outputs) {
      const Metrics& metrics = output.metrics;
      rows.push_back({output.name, Figure(metrics.l_inf), Figure(metrics.l_inf_scaled), Figure(metrics.mean_abs),
                      std::isfinite(metrics.cosine) ? fmt::format("{:.6f}", metrics.cosine) : "-",
                      Decibels(metrics.snr_db), fmt::format("{:.2f} %", 100 * metrics.agreement),
                      Limits(comparison.request.GateOf(output.role))});
    }
    if (rows.size() > 1) Print(rows);
    if (run.layers.empty()) continue;
    const LayerFigures* layer = FirstDiverging(comparison, run);
    std::puts(layer == nullptr
                  ? fmt::format("    none of {} inner tensors diverges", run.layers.size()).c_str()
                  : fmt::format("    first diverging: '{}'{}, relative {:.3g}, SNR {} dB", layer->name,
                                layer->source == layer->name ? "" : fmt::format(" (source '{}')", layer->source),
                                layer->metrics.l_inf_scaled, Decibels(layer->metrics.snr_db))
                        .c_str());
  }
}

Json ToJson(const Compared& compared) {
  Json json = {{"path", compared.path.string()}, {"target", compared.target}, {"precision", compared.precision}};
  if (!compared.comparison.ok()) {
    json["verdict"] = "failed";
    json["reason"] = Message(compared.comparison.status());
    return json;
  }
  const Comparison& comparison = *compared.comparison;
  const nlohmann::json report = ParityReport(comparison.request, comparison.result);
  for (const char* key : {"verdict", "reason", "samples"}) json[key] = report[key];
  json["gates_of"] = {{"target", comparison.request.gate_target}, {"precision", comparison.request.precision}};
  json["inputs"] = Json::array();
  for (const compare::InputPair& input : comparison.inputs)
    json["inputs"].push_back({{"baseline", input.baseline}, {"variant", input.variant}, {"shape", input.shape}});
  json["thresholds"] = report["thresholds"];
  json["runs"] = report["runs"];
  return json;
}

// The gravest of all variants: 1 differs or cannot be compared, 3 not shown either way.
int WorstOf(const std::vector<Compared>& all) {
  int code = kExitOk;
  for (const Compared& compared : all) {
    const Verdict verdict = compared.comparison.ok() ? compared.comparison->result.verdict : Verdict::kFailed;
    if (verdict == Verdict::kFailed) return kExitNothingPassed;
    if (verdict != Verdict::kPassed) code = kExitUnproved;
  }
  return code;
}

// A path that is not there is the user's; a file that cannot be read is a difference like any other.
int FailToRead(const absl::Status& status) {
  if (absl::IsNotFound(status)) return Fail(WithKind(status, ErrorKind::kUsage));
  if (KindOf(status) != ErrorKind::kModel) return Fail(status);
  std::fprintf(stderr, "slipway: %s\n", Message(status).c_str());
  return kExitNothingPassed;
}

absl::StatusOr<std::vector<fs::path>> Expand(const Arguments& files) {
  std::vector<fs::path> paths;
  for (size_t i = 0; i < files.size(); ++i) {
    std::error_code error;
    if (!fs::exists(files[i], error)) return WithKind(NotFound("{}: no such file", files[i]), ErrorKind::kUsage);
    // A cell's folder can be the baseline too: it holds one artifact.
    ASSIGN_OR_RETURN(const std::vector<fs::path> found, compare::ExpandVariant(files[i], i == 0 ? "" : paths[0]));
    if (i == 0 && found.size() != 1)
      return WithKind(
          InvalidArgument("{} holds {} artifacts: the baseline has to be one of them", files[0], found.size()),
          ErrorKind::kUsage);
    paths.insert(paths.end(), found.begin(), found.end());
  }
  return paths;
}

}  // namespace

int RunCompare(const Settings& settings, const Arguments& files) {
  const absl::StatusOr<std::vector<fs::path>> paths = Expand(files);
  if (!paths.ok()) return FailToRead(paths.status());
  const absl::StatusOr<Side> baseline = compare::ReadSide(paths->front());
  if (!baseline.ok()) return FailToRead(baseline.status());
  compare::CompareOptions options;
  options.samples = static_cast<int>(settings.Integer("samples", options.samples));
  options.tolerance = settings.Number("tolerance");
  options.shapes = settings.Shapes("shape");
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  const absl::StatusOr<TemporaryFolder> scratch =
      TemporaryFolder::Create(error ? "/tmp" : temporary, "slipway-compare-");
  if (!scratch.ok()) return Fail(scratch.status());
  // Hosts end with this process.
  Interrupts interrupts;
  const auto leave = [&] {
    std::error_code ignored;
    fs::remove_all(scratch->path(), ignored);
    _exit(kExitCancelled);
  };
  interrupts.Start(
      leave, leave, [] {}, absl::InfiniteFuture());
  const std::unique_ptr<HostProvider> hosts =
      SpawningHosts(FindProgram(settings.Text("python", DefaultPython())), scratch->path());
  std::vector<Compared> all;
  for (size_t i = 1; i < paths->size(); ++i) {
    Compared& compared = all.emplace_back(Compared{(*paths)[i], "", "", absl::UnknownError("")});
    const absl::StatusOr<Side> variant = compare::ReadSide((*paths)[i]);
    if (variant.ok()) {
      compared.target = variant->target;
      compared.precision = variant->precision;
      compared.comparison = compare::CompareModels(*hosts, *baseline, *variant, options);
    } else {
      compared.comparison = variant.status();
    }
    const absl::Status& status = compared.comparison.status();
    if (status.ok() || KindOf(status) == ErrorKind::kModel) continue;
    if (!absl::IsNotFound(status)) return Fail(status);
    std::fprintf(stderr, "slipway: %s\n", Message(status).c_str());
    return kExitUnproved;  // nobody to run the baseline
  }
  if (settings.Switch("json")) {
    Json json = {
        {"schema", "slipway.compare/1"},
        {"baseline",
         {{"path", baseline->path.string()}, {"target", baseline->target}, {"precision", baseline->precision}}},
        {"variants", Json::array()}};
    for (const Compared& compared : all) json["variants"].push_back(ToJson(compared));
    std::puts(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return WorstOf(all);
  }
  std::puts(fmt::format("baseline {} ({} {})", baseline->path.string(), baseline->target, baseline->precision).c_str());
  for (const Compared& compared : all) {
    if (!compared.comparison.ok()) {
      const std::string reason = Message(compared.comparison.status()), path = compared.path.string();
      std::puts((reason.starts_with(path) ? reason : path + ": " + reason).c_str());
      continue;
    }
    const ParityResult& result = compared.comparison->result;
    std::puts(fmt::format("{} ({} {}): {}, {} samples by {}{}", compared.path.string(), compared.target,
                          compared.precision, Name(result.verdict), result.samples, compared.comparison->baseline_judge,
                          result.runs.empty() && !result.reason.empty() ? "; " + result.reason : "")
                  .c_str());
    Print(*compared.comparison);
  }
  return WorstOf(all);
}

}  // namespace slipway::cli
