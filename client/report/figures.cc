#include "client/report/figures.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "client/report/output_folder.h"
#include "common/manifest/manifest.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<v1::CellState, std::string_view>, 10> kNames = {{
    {v1::CELL_STATE_BLOCKED, "blocked"},
    {v1::CELL_STATE_READY, "ready"},
    {v1::CELL_STATE_DELAYED, "delayed"},
    {v1::CELL_STATE_RUNNING, "running"},
    {v1::CELL_STATE_PASSED, "passed"},
    {v1::CELL_STATE_UNVERIFIED, "unverified"},
    {v1::CELL_STATE_PARITY_FAILED, "parity_failed"},
    {v1::CELL_STATE_FAILED, "failed"},
    {v1::CELL_STATE_CANCELLED, "cancelled"},
    {v1::CELL_STATE_SKIPPED, "skipped"},
}};

// Largest l_inf of the outputs themselves over all runs.
std::optional<double> MaxError(const json& entry) {
  std::optional<double> largest;
  const json runs =
      entry.contains("parity") && entry["parity"].is_object() ? entry["parity"].value("runs", json()) : json();
  for (const json& run : runs) {
    if (!run.is_object() || !run.contains("outputs")) continue;
    for (const json& output : run["outputs"]) {
      if (!output.is_object() || output.value("role", json()) != json("output")) continue;
      const json error = output.value("l_inf", json());
      if (error.is_number()) largest = std::max(largest.value_or(0), error.get<double>());
    }
  }
  return largest;
}

std::optional<double> Milliseconds(const json& entry) {
  if (!entry.contains("timings_ms") || !entry["timings_ms"].is_object()) return std::nullopt;
  const json& timings = entry["timings_ms"];
  if (timings.contains("total") && timings["total"].is_number()) return timings["total"].get<double>();
  double sum = 0;
  for (const json& time : timings) sum += time.is_number() ? time.get<double>() : 0;
  return sum;
}

}  // namespace

std::string_view StateName(v1::CellState state) {
  for (const auto& [value, name] : kNames) {
    if (value == state) return name;
  }
  return "unknown";
}

bool IsEnded(v1::CellState state) { return state >= v1::CELL_STATE_PASSED && state <= v1::CELL_STATE_SKIPPED; }

CellLine ToLine(const v1::Cell& cell) {
  CellLine line;
  line.model = cell.model();
  line.target = cell.target();
  line.precision = cell.precision();
  line.state = StateName(cell.state());
  line.progress = cell.progress();
  line.reason = OneLine(cell.reason());
  line.worker = cell.worker();
  line.attempts = cell.attempts();
  line.ended = IsEnded(cell.state());
  return line;
}

void AddFigures(const TaskResult& result, CellLine& line) {
  if (!result.reason.empty()) line.reason = OneLine(result.reason);
  const json entry = json::parse(result.entry, nullptr, /*allow_exceptions=*/false);
  if (!entry.is_object()) return;
  if (line.target.empty()) {
    for (const json& warning : entry.value("warnings", json::array())) {
      if (warning.is_string()) line.warnings.push_back(OneLine(warning.get<std::string>()));
    }
    return;
  }
  line.max_error = MaxError(entry);
  line.ms = Milliseconds(entry);
  if (result.files.empty()) return;
  line.bytes = 0;
  for (const ResultFile& file : result.files) *line.bytes += file.digest.bytes;
  if (entry.contains("path") && entry["path"].is_string()) {
    line.path = line.model + "/" + OutputFolder::CellName(line.target, line.precision) +
                (line.state == "parity_failed" ? ".rejected/" : "/") + entry["path"].get<std::string>();
  }
}

}  // namespace slipway
