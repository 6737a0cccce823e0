// Logging: one line of key=value text a record on stderr, by spdlog. `LogInfo("leased", {{"task", id}})`.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

using LogField = std::pair<std::string_view, std::string>;

// Names the process in every line and sets the level ("debug" "info" "warning" "error"; default from SLIPWAY_LOG, else
// "warning").
void InitLogging(std::string_view process, std::string_view level = "");

void LogDebug(std::string_view event, std::initializer_list<LogField> fields = {});
void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {});
void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {});
void LogError(std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace slipway
