// Bounds of numbers on a daemon's command line. CLI11's own let through "nan", and "-1" and what has too many digits as the size that they wrap around to.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>

#include "common/base/error.h"

namespace slipway {

// For CLI::Option::check, also behind CLI::AsSizeValue.
inline CLI::Validator Within(double least, double most) {
  return CLI::Validator(
      [=](const std::string& text) -> std::string {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most) return "";
        return fmt::format("\"{}\" is no number from {:.16g} to {:.16g}", text, least, most);
      },
      fmt::format("in [{:.16g} - {:.16g}]", least, most));
}

constexpr double kMostBytes = 1e15;   // of a flag that says a size
constexpr double kMostSeconds = 1e6;  // of one that says a time

}  // namespace slipway
