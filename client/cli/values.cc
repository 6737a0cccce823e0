#include "client/cli/values.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "common/base/error.h"
#include "common/base/nearest.h"

namespace slipway::cli {
std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> ParseSwitch(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* yes : {"1", "true", "yes", "on"}) {
    if (lower == yes) return true;
  }
  for (const char* no : {"0", "false", "no", "off"}) {
    if (lower == no) return false;
  }
  return std::nullopt;
}

std::optional<absl::Duration> ParseDuration(std::string_view text) {
  absl::Duration duration;
  if (const std::optional<double> seconds = ParseNumber(text)) {
    duration = absl::Seconds(*seconds);
  } else if (const std::optional<double> days = ParseNumber(text.substr(0, text.size() - 1));
             text.ends_with('d') && days) {
    duration = *days * absl::Hours(24);
  } else if (!absl::ParseDuration(std::string(text), &duration)) {
    return std::nullopt;
  }
  if (duration <= absl::ZeroDuration()) return std::nullopt;
  return duration;
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view piece = text.substr(0, comma);
    if (!piece.empty()) pieces.emplace_back(piece);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return pieces;
}

absl::StatusOr<std::map<std::string, std::vector<int64_t>>> ParseShapes(const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const std::string& text : texts) {
    std::vector<int64_t>* sizes = nullptr;
    for (std::string piece : SplitList(text)) {
      // Tensor names may hold '=' and ':', sizes never do.
      if (const size_t equals = piece.rfind('='); equals != std::string::npos && equals > 0) {
        const auto [it, fresh] = shapes.try_emplace(piece.substr(0, equals));
        if (!fresh) return InvalidArgument("'{}' is given twice", it->first);
        sizes = &it->second;
        piece.erase(0, equals + 1);
        if (piece.empty()) continue;  // "NAME=": a scalar
      }
      const std::optional<int64_t> size = ParseInteger(piece);
      if (sizes == nullptr || !size.has_value() || *size < 1) {
        return InvalidArgument("'{}' is not NAME=SIZES, such as image=1,3,224,224", text);
      }
      sizes->push_back(*size);
    }
    if (sizes == nullptr) return InvalidArgument("'{}' is not NAME=SIZES, such as image=1,3,224,224", text);
  }
  return shapes;
}

absl::StatusOr<std::vector<double>> ParseNumbers(const std::vector<std::string>& texts) {
  std::vector<double> numbers;
  for (const std::string& text : texts) {
    for (const std::string& piece : SplitList(text)) {
      const std::optional<double> number = ParseNumber(piece);
      if (!number.has_value()) return InvalidArgument("'{}' is not a number", piece);
      numbers.push_back(*number);
    }
  }
  if (numbers.empty()) return InvalidArgument("it is empty");
  return numbers;
}

absl::StatusOr<std::map<std::string, std::vector<double>>> ParseFixed(const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<double>> fixed;
  for (const std::string& text : texts) {
    std::vector<double>* values = nullptr;
    for (std::string piece : SplitList(text)) {
      if (const size_t equals = piece.rfind('='); equals != std::string::npos && equals > 0) {
        const auto [it, fresh] = fixed.try_emplace(piece.substr(0, equals));
        if (!fresh) return InvalidArgument("'{}' is given twice", it->first);
        values = &it->second;
        piece.erase(0, equals + 1);
      }
      const std::optional<double> value = ParseNumber(piece);
      if (values == nullptr || !value.has_value())
        return InvalidArgument("'{}' is not NAME=VALUES, such as threshold=0.5", text);
      values->push_back(*value);
    }
    if (values == nullptr) return InvalidArgument("'{}' is not NAME=VALUES, such as threshold=0.5", text);
  }
  return fixed;
}

absl::Status CheckValue(const Flag& flag, const std::string& text) {
  switch (flag.type) {
    case FlagType::kSwitch:
      if (!ParseSwitch(text).has_value()) return InvalidArgument("'{}' is neither 1 (true) nor 0 (false)", text);
      break;
    case FlagType::kInteger: {
      const std::optional<int64_t> value = ParseInteger(text);
      if (!value.has_value() || *value < flag.low || *value > flag.high) {
        return InvalidArgument("'{}' is not a whole number from {} to {}", text, flag.low, flag.high);
      }
      break;
    }
    case FlagType::kNumber: {
      const std::optional<double> value = ParseNumber(text);
      if (!value.has_value() || *value <= 0) return InvalidArgument("'{}' is not a number above 0", text);
      break;
    }
    case FlagType::kDuration:
      if (!ParseDuration(text).has_value())
        return InvalidArgument("'{}' is not a time, such as 90s, 5m, 1h30m or 90d", text);
      break;
    case FlagType::kShapes:
      return ParseShapes({text}).status();
    case FlagType::kNumbers:
      return ParseNumbers({text}).status();
    case FlagType::kFixed:
      return ParseFixed({text}).status();
    case FlagType::kText:
      if (text.empty()) return InvalidArgument("it is empty");
      break;
    case FlagType::kList:
      if (SplitList(text).empty()) return InvalidArgument("it is empty");
      break;
  }
  return absl::OkStatus();
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& known) {
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& candidate : known) {
    const size_t distance = EditDistance(name, candidate);
    if (distance <= std::max<size_t>(2, candidate.size() / 3)) near.emplace_back(distance, candidate);
  }
  std::sort(near.begin(), near.end());
  std::string list;
  for (size_t i = 0; i < near.size() && i < 3; ++i) list += (i == 0 ? "" : ", ") + near[i].second;
  return list.empty() ? "" : ": did you mean " + list + "?";
}

}  // namespace slipway::cli
