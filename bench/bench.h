// slipway-bench: the figures that docs/benchmarks.md reports, as a table and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

// Conversions, import to written artifact, without parity, each in a process of its own (the median of `repeats`).
struct ConvertBenchOptions {
  std::vector<std::string> models;   // FILE.onnx or ARCH@FILE
  std::vector<std::string> targets;  // capabilities' names
  int repeats = 5;
};
// {"<model>/<target>": {"wall_s", "cpu_s", "peak_anon_mb", "copy_hash_s"}}; copy_hash_s is the time to copy and SHA-256 the artifact's bytes.
absl::StatusOr<nlohmann::json> BenchConvert(const ConvertBenchOptions& options);

// No-op tasks through a whole embedded farm: warm jailed child and fenced commit each.
struct FarmBenchOptions {
  int tasks = 5000;     // in bulk, and one by one
  int latencies = 300;  // single tasks on an idle farm
  int slots = 2;
};
// {"noop_single": {"tasks_per_s", "cpu_ms_per_task"}, "noop_bulk": {same}, "start_ms": {"p50", "p99"}}
absl::StatusOr<nlohmann::json> BenchFarm(const FarmBenchOptions& options);

}  // namespace slipway
