// The one table of flags, from which the command line, the environment, the config file and --help are made.
//
// A flag `--dry-run` is also SLIPWAY_DRY_RUN in the environment and `dry-run:` in the config file. Order: command line,
// environment, config.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace slipway::cli {

enum class FlagType {
  kSwitch,  // present, or true/false/1/0
  kText,
  kList,      // repeatable, comma-separated
  kShapes,    // repeatable: NAME=1,3,224,224
  kInteger,   // within [low, high]
  kNumber,    // positive
  kNumbers,   // comma-separated
  kFixed,     // repeatable: NAME=0.5 or NAME=1,0,1
  kDuration,  // 90, 90s, 5m, 1h30m, 90d
};

struct Flag {
  std::string_view name;
  FlagType type;
  std::string_view value;  // what stands for the value in --help
  std::string_view help;
  std::string_view verbs;  // those that take it
  int64_t low = 0, high = 0;
};

std::span<const Flag> Flags();
const Flag* FindFlag(std::string_view name);
bool Takes(std::string_view verb, const Flag& flag);
std::string EnvironmentName(const Flag& flag);

struct Verb {
  std::string_view name;
  std::string_view arguments;      // positional, for the usage line
  std::string_view argument_help;  // "" when there are none
  int least = 0, most = 0;         // positional arguments; most < 0: any number
  std::string_view summary;
  std::string_view examples;  // shown at the end of --help
};

std::span<const Verb> Verbs();

}  // namespace slipway::cli
