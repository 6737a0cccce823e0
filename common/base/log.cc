#include "common/base/log.h"

// Nothing else uses spdlog: its code is compiled into this file.
#undef SPDLOG_COMPILED_LIB
#undef SPDLOG_SHARED_LIB
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

namespace slipway {
namespace {

bool as_json = false;

std::vector<LogField>& Scoped() {
  thread_local std::vector<LogField> fields;
  return fields;
}

void AppendText(std::string& line, const LogField& field) {
  const auto& [key, value] = field;
  line += ' ';
  line += key;
  line += '=';
  const bool quote = value.empty() || value.find_first_of(" \"\n\t=") != std::string::npos;
  if (!quote) {
    line += value;
    return;
  }
  line += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += c == '\n' ? ' ' : c;
  }
  line += '"';
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void AppendJson(std::string& line, const LogField& field) {
  line += fmt::format(",{}:{}", Quoted(field.first), Quoted(field.second));
}

void Write(spdlog::level::level_enum level, std::string_view event, std::initializer_list<LogField> fields) {
  spdlog::logger* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) return;
  std::string line = as_json ? Quoted(event) : std::string(event);
  const auto append = as_json ? AppendJson : AppendText;
  for (const LogField& field : Scoped()) append(line, field);
  for (const LogField& field : fields) append(line, field);
  logger->log(level, line);
}

std::string FromEnvironment(std::string_view chosen, const char* variable, const char* standard) {
  if (!chosen.empty()) return std::string(chosen);
  const char* value = std::getenv(variable);
  return value != nullptr ? value : standard;
}

}  // namespace

void InitLogging(std::string_view process, std::string_view level, std::string_view format) {
  as_json = FromEnvironment(format, "SLIPWAY_LOG_FORMAT", "text") == "json";
  auto logger =
      std::make_shared<spdlog::logger>(std::string(process), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(FromEnvironment(level, "SLIPWAY_LOG", "warning")));
  logger->set_pattern(as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","process":"%n","pid":%P,"event":%v})"
                              : "%Y-%m-%dT%H:%M:%S.%eZ %l %n[%P] %v",
                      spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

LogScope::LogScope(std::initializer_list<LogField> fields) : before_(Scoped().size()) {
  Scoped().insert(Scoped().end(), fields);
}

LogScope::~LogScope() { Scoped().resize(before_); }

void LogDebug(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::debug, event, fields);
}
void LogInfo(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::info, event, fields);
}
void LogWarning(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::warn, event, fields);
}
void LogError(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::err, event, fields);
}

}  // namespace slipway
