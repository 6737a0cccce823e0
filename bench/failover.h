// What a farm loses while one of its processes is dead or does not answer, and what many tasks cost it while they wait.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace slipway {

struct FailoverBenchOptions {
  std::set<std::string> parts = {"workers", "coordinators", "waiting"};
  double lease_s = 15;
  int backlog = 20'000;   // tasks that wait behind those of the killed workers
  int workers = 6;        // that are killed
  int coordinators = 20;  // how often one is killed under a watcher
  int stops = 5;          // how often one is stopped
  int waiting = 100'000;  // tasks whose memory is measured; 0: it is not
};
// {"killed worker": {"lease_s", "elsewhere_s p50", "elsewhere_s max"}, "killed coordinator": {"gap_ms p50", "gap_ms max"}, …};
// docs/benchmarks.md has all rows. An error when a task was lost.
absl::StatusOr<nlohmann::json> BenchFailover(const FailoverBenchOptions& options);

// Its parts.
absl::StatusOr<nlohmann::json> KilledWorkers(const FailoverBenchOptions& options);
absl::StatusOr<nlohmann::json> LostCoordinators(const FailoverBenchOptions& options);
absl::StatusOr<nlohmann::json> WaitingTasks(int tasks);

}  // namespace slipway
