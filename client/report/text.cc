#include "client/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace slipway {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::string Figure(const std::optional<double>& value) {
  return value.has_value() ? fmt::format("{:.1e}", *value) : "-";
}

std::vector<std::vector<std::string>> Table(const RunEnd& end, bool paths) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "target", "precision", "status", "max error", "size", "time"}};
  if (paths) rows[0].push_back("path");
  for (const CellLine& cell : end.cells) {
    rows.push_back({cell.model, cell.target, cell.precision, cell.state, Figure(cell.max_error),
                    cell.bytes ? HumanBytes(*cell.bytes) : "-", cell.ms ? HumanMilliseconds(*cell.ms) : "-"});
    if (paths) rows.back().push_back(cell.path.empty() ? "-" : cell.path);
  }
  return rows;
}

std::string Counts(const std::vector<CellLine>& cells) {
  std::map<std::string, int> counts;
  for (const CellLine& cell : cells) ++counts[cell.state];
  std::string text;
  for (const auto& [state, count] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
  return text;
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string HumanMilliseconds(double ms) {
  return ms < 1000 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.1f} s", ms / 1000);
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string CutTo(std::string_view text, size_t columns) {
  if (DisplayWidth(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  size_t end = 0;
  for (size_t width = 0; end < text.size(); ++end) {
    if (!IsContinuation(text[end]) && ++width == columns) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string> Columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - DisplayWidth(row[i]) + 2, ' ');
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string Title(const CellLine& cell) {
  return cell.target.empty() ? cell.model + " (prepare)"
                             : fmt::format("{} {} {}", cell.model, cell.target, cell.precision);
}

std::string Describe(const CellLine& cell) {
  std::string line = Title(cell) + "  " + cell.state;
  if (!cell.ended && !cell.progress.empty()) line += " (" + cell.progress + ")";
  if (cell.max_error) line += fmt::format("  max error {:.1e}", *cell.max_error);
  if (cell.bytes) line += "  " + HumanBytes(*cell.bytes);
  if (cell.ms) line += "  " + HumanMilliseconds(*cell.ms);
  if (!cell.reason.empty()) line += "  " + cell.reason;
  return line;
}

std::string Warning(const CellLine& cell, std::string_view warning) {
  return fmt::format("{}: warning: {}", cell.model, warning);
}

CellLine Preparations::Told(const CellLine& cell) {
  if (cell.target.empty() && cell.ended) reasons_[cell.model] = cell.reason;
  CellLine told = cell;
  const auto known = reasons_.find(cell.model);
  if (!cell.target.empty() && known != reasons_.end() && known->second == cell.reason) told.reason.clear();
  return told;
}

std::vector<std::string> SummaryLines(const RunEnd& end, size_t columns) {
  std::vector<std::string> lines;
  if (!end.cells.empty()) {
    lines = Columns(Table(end, true));
    const bool wide =
        std::any_of(lines.begin(), lines.end(), [&](const std::string& l) { return DisplayWidth(l) > columns; });
    if (columns > 0 && wide) lines = Columns(Table(end, false));
    std::map<std::string, bool> said;
    for (const CellLine& cell : end.cells) {
      // A model's failed preparation is the reason of all its cells: once is enough.
      if (cell.reason.empty() || said[cell.model + cell.reason]) continue;
      said[cell.model + cell.reason] = true;
      const bool shared = std::count_if(end.cells.begin(), end.cells.end(), [&](const CellLine& other) {
                            return other.model == cell.model && other.reason == cell.reason;
                          }) > 1;
      lines.push_back(fmt::format("{}: {}", shared ? cell.model : Title(cell), cell.reason));
    }
    lines.push_back(fmt::format("{} in {}", Counts(end.cells), HumanMilliseconds(end.seconds * 1000)));
  }
  if (!end.manifest.empty()) lines.push_back("manifest: " + end.manifest);
  return lines;
}

std::string_view ColourOf(std::string_view state) {
  if (state == "passed") return "32";
  if (state == "unverified" || state == "cancelled" || state == "skipped") return "33";
  if (state == "failed" || state == "parity_failed") return "31";
  return state == "running" ? "36" : "";
}

}  // namespace slipway
