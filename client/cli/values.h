// Values of flags: from text to what they mean.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/flags.h"

namespace slipway::cli {

std::optional<int64_t> ParseInteger(std::string_view text);
std::optional<double> ParseNumber(std::string_view text);
std::optional<bool> ParseSwitch(std::string_view text);              // 1 0 true false yes no on off
std::optional<absl::Duration> ParseDuration(std::string_view text);  // positive; a bare number is seconds, d are days
std::vector<std::string> SplitList(std::string_view text);           // at commas, empty pieces dropped
// "a=1,3,b=2" → {a: [1, 3], b: [2]}. Sizes are positive.
absl::StatusOr<std::map<std::string, std::vector<int64_t>>> ParseShapes(const std::vector<std::string>& texts);

// "0.5,1e-3" → numbers, all finite.
absl::StatusOr<std::vector<double>> ParseNumbers(const std::vector<std::string>& texts);
// "a=1,0,b=0.5" → {a: [1, 0], b: [0.5]}.
absl::StatusOr<std::map<std::string, std::vector<double>>> ParseFixed(const std::vector<std::string>& texts);

// Whether `text` is a value of the flag; the message says what would be one.
absl::Status CheckValue(const Flag& flag, const std::string& text);

// Up to three of `known` whose edit distance to `name` is small, as ": did you mean …?"; "" if none is near.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& known);

}  // namespace slipway::cli
