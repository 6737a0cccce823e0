// What the judges' interpreter has.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

// The runtimes that are installed where `python` finds them, with their versions: one "NAME-VERSION.dist-info" a line, sorted.
std::string RuntimesOf(const std::filesystem::path& python);

// Those of "onnxruntime", "litert" and "ncnn" that a host can be started with, of what RuntimesOf told.
std::vector<std::string> JudgesOf(std::string_view runtimes);

// Says in the log which of them are not there, if any.
void LogMissingJudges(const std::vector<std::string>& found, const std::filesystem::path& python);

}  // namespace slipway
