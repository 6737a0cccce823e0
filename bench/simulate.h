// Many workers on one Redis, without the workers: what the queue's scripts bear.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"

namespace slipway {

// Every worker's slots lease, hold a task for a moment and commit; heartbeats, maintenance and submits as on a farm, by the
// real scripts on real redis-servers (AOF everysec). Thousands of slots share few connections: each thread plays a part of the workers and sends
// what they have to say in one exchange.
struct SimulateOptions {
  int workers = 1000;
  int slots = 4;              // of each
  int64_t tasks = 1'000'000;  // over all shards
  int64_t live = 200'000;     // tasks that have not ended, at most
  int request = 50;           // tasks of a request: a preparation, whose commit opens the others, for every ten
  int tenants = 10;
  double task_ms = 0;  // mean time of a task (exponential); 0: no time, so that Redis is the limit
  double lose = 1e-5;  // share of leases whose worker vanishes: the task comes back after the lease
  double lease_s = 5;
  int threads = 2;  // of each shard
  int shards = 1;
};
// {"shard <i>": {"tasks_per_s", "redis_cpu_ms_per_task", "redis_busy", "live", "bytes_per_live_task"}, "all": {"tasks_per_s", "wall_s", "tasks", "leases",
// "leases_lost", "commits_fenced", "shards", "workers"}}. An error when a task did not end, or was committed twice.
absl::StatusOr<nlohmann::json> Simulate(const SimulateOptions& options);

}  // namespace slipway
