// slipway-bench: the figures that docs/benchmarks.md reports, as a table and as JSON.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

// Conversions, each in processes of its own (the median of `repeats`): Slipway's converter, the whole command, and the
// other converters that are installed.
struct ConvertBenchOptions {
  std::vector<std::string> models;   // FILE.onnx, ARCH@FILE, or ARCH: an ONNX file of it with made-up weights
  std::vector<std::string> targets;  // capabilities' names
  int repeats = 5;
  std::filesystem::path peers;         // where bench/peers.sh installed; empty: none is measured
  std::filesystem::path peer_scripts;  // bench/peers
  bool scaling = false;                // also graphs of 1,000 and 10,000 nodes
};
// {"<model>/<target>": …, "<model>/<target>/export": …, "<model>/<target>/<peer>": …, "scaling/<target>": …}; the figures
// of each are in docs/benchmarks.md.
absl::StatusOr<nlohmann::json> BenchConvert(const ConvertBenchOptions& options);

// No-op tasks through a whole embedded farm: warm jailed child and fenced commit each.
struct FarmBenchOptions {
  int tasks = 5000;     // in bulk, and one by one
  int latencies = 300;  // single tasks on an idle farm
  int slots = 3;        // one more than the cores of a small machine: one waits for Redis while the others run
};
// {"noop_single": {"tasks_per_s", "cpu_ms_per_task"}, "noop_distinct": {same}, "noop_bulk": {same}, "start_ms": {"p50", "p99"}}
absl::StatusOr<nlohmann::json> BenchFarm(const FarmBenchOptions& options);

}  // namespace slipway
