// Logging: one line a record on stderr, by spdlog. `LogInfo("leased", {{"task", id}})`.
//   text  2026-01-02T03:04:05.678Z info slipway-worker[17] leased request=0-12ab task=3
//   json  {"time":"2026-01-02T03:04:05.678Z","level":"info","process":"slipway-worker","pid":17,"event":"leased","request":"0-12ab","task":"3"}
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

using LogField = std::pair<std::string_view, std::string>;

// Names the process in every line and sets the level ("debug" "info" "warning" "error"; default from SLIPWAY_LOG, else
// "warning") and the format ("text" "json"; default from SLIPWAY_LOG_FORMAT, else "text").
void InitLogging(std::string_view process, std::string_view level = "", std::string_view format = "");

void LogDebug(std::string_view event, std::initializer_list<LogField> fields = {});
void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {});
void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {});
void LogError(std::string_view event, std::initializer_list<LogField> fields = {});

// While it lives, every line of this thread has these fields too, before its own: what the work is about. Scopes nest.
class LogScope {
 public:
  LogScope(std::initializer_list<LogField> fields);
  ~LogScope();
  LogScope(const LogScope&) = delete;

 private:
  const size_t before_;
};

}  // namespace slipway
