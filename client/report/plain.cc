// Plain lines and JSON events: for pipes, logs and programs.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>

#include "client/report/reporter.h"
#include "client/report/text.h"

namespace slipway {
namespace {

using Json = nlohmann::ordered_json;

class LineReporter final : public Reporter {
 public:
  explicit LineReporter(std::FILE* out) : out_(out) {}

  void Started(const std::string& request_id, size_t cells) override {
    Print(out_, fmt::format("request {}: {} {}", request_id, cells, cells == 1 ? "cell" : "cells"));
  }
  void Changed(const CellLine& cell) override {
    // Waiting is the rule and preparation a means: lines tell what begins to be made and what has ended.
    const bool worth = cell.ended ? !cell.target.empty() || cell.state != "passed" : cell.state == "delayed";
    if (worth) Print(out_, Describe(Told(cell)));
    for (const std::string& warning : cell.warnings) Print(out_, Warning(cell, warning));
  }
  void Note(const std::string& line) override { Print(stderr, line); }
  void Finished(const RunEnd& end) override {
    for (const std::string& line : SummaryLines(end, 0)) Print(out_, line);
    if (!end.error.empty()) Print(stderr, "slipway: " + end.error);
  }

 private:
  void Print(std::FILE* stream, const std::string& line) {
    const std::lock_guard lock(mutex_);
    std::fputs((line + "\n").c_str(), stream);
    std::fflush(stream);
  }
  CellLine Told(const CellLine& cell) {
    const std::lock_guard lock(mutex_);
    return preparations_.Told(cell);
  }
  std::mutex mutex_;
  Preparations preparations_;
  std::FILE* out_;
};

class JsonReporter final : public Reporter {
 public:
  explicit JsonReporter(std::FILE* out) : out_(out) {}

  void Started(const std::string& request_id, size_t cells) override {
    Print({{"event", "started"}, {"request_id", request_id}, {"cells", cells}});
  }
  void Changed(const CellLine& cell) override {
    Print(CellJson(cell));
    for (const std::string& warning : cell.warnings) {
      Print({{"event", "warning"}, {"model", cell.model}, {"warning", warning}});
    }
  }
  void Note(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    std::fputs((line + "\n").c_str(), stderr);
  }
  void Finished(const RunEnd& end) override {
    Json counts = Json::object();
    for (const CellLine& cell : end.cells) counts[cell.state] = counts.value(cell.state, 0) + 1;
    Json event = {{"event", "finished"}, {"exit_code", end.exit_code}, {"counts", counts}, {"seconds", end.seconds}};
    event["error"] = TextOrNull(end.error);
    event["manifest"] = TextOrNull(end.manifest);
    Print(event);
  }

 private:
  static Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }
  template <typename T>
  static Json OrNull(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
  }
  static Json CellJson(const CellLine& cell) {
    Json event = {{"event", cell.target.empty() ? "prepare" : "cell"}, {"model", cell.model}};
    if (!cell.target.empty()) event.update({{"target", cell.target}, {"precision", cell.precision}});
    event.update({{"state", cell.state},
                  {"progress", TextOrNull(cell.progress)},
                  {"reason", TextOrNull(cell.reason)},
                  {"worker", TextOrNull(cell.worker)},
                  {"attempts", cell.attempts}});
    if (cell.ended && !cell.target.empty()) {
      event.update({{"max_error", OrNull(cell.max_error)},
                    {"bytes", OrNull(cell.bytes)},
                    {"ms", OrNull(cell.ms)},
                    {"path", TextOrNull(cell.path)}});
    }
    return event;
  }
  void Print(const Json& event) {
    const std::lock_guard lock(mutex_);
    std::fputs((event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n").c_str(), out_);
    std::fflush(out_);
  }
  std::mutex mutex_;
  std::FILE* out_;
};

}  // namespace

std::unique_ptr<Reporter> MakeJsonReporter(std::FILE* out) { return std::make_unique<JsonReporter>(out); }
std::unique_ptr<Reporter> MakeLineReporter(std::FILE* out) { return std::make_unique<LineReporter>(out); }

std::unique_ptr<Reporter> MakeReporter(std::FILE* out, bool json) {
  if (json) return MakeJsonReporter(out);
  const char* term = std::getenv("TERM");
  if (isatty(fileno(out)) == 0 || (term != nullptr && std::string_view(term) == "dumb")) return MakeLineReporter(out);
  const char* no_colour = std::getenv("NO_COLOR");
  return MakeLiveReporter(out, no_colour == nullptr || *no_colour == '\0');
}

}  // namespace slipway
