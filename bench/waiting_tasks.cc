// What tasks cost a coordinator and Redis while nobody works.
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/time/clock.h"
#include "bench/failover.h"
#include "bench/noop.h"
#include "bench/processes.h"
#include "client/lib/farm_client.h"
#include "client/lib/parallel.h"
#include "common/base/error.h"

namespace slipway {
namespace {

constexpr int kCells = 20'000;  // of a large request
constexpr int kClients = 8;
constexpr int kWatchers = 200;
constexpr absl::Duration kPatience = absl::Seconds(60);

// `requests` of `cells` each; a watcher on each of the first `watched`.
absl::StatusOr<nlohmann::json> Waiting(int requests, int cells, int watched) {
  ASSIGN_OR_RETURN(const auto farm, FarmProcesses::Start(15));
  ASSIGN_OR_RETURN(const auto coordinator, farm->StartCoordinator());
  ASSIGN_OR_RETURN(const auto client, FarmClient::Connect(coordinator->ready(), absl::Now() + kPatience));
  RETURN_IF_ERROR(client->Submit(NoopRequest(1)).status());  // warm
  const double memory = coordinator->AnonymousMiB();
  ASSIGN_OR_RETURN(const double redis, farm->RedisBytes());

  std::vector<std::string> ids(static_cast<size_t>(requests));
  RETURN_IF_ERROR(ForEachInParallel(ids.size(), kClients, [&](size_t i) -> absl::Status {
    ASSIGN_OR_RETURN(const v1::SubmitResponse submitted,
                     client->Submit(NoopRequest(cells, cells > 1 ? fmt::format("m{}-", i) : "")));
    ids[i] = submitted.request_id();
    return absl::OkStatus();
  }));
  nlohmann::json row;
  row["coordinator_mb before"] = memory;
  row["coordinator_mb"] = coordinator->AnonymousMiB();
  ASSIGN_OR_RETURN(const double full, farm->RedisBytes());
  row["redis_bytes_per_task"] = (full - redis) / (static_cast<double>(requests) * cells);

  std::atomic<int64_t> told = 0;
  std::vector<std::jthread> watchers;
  for (int i = 0; i < watched; ++i) {
    watchers.emplace_back([&, i](const std::stop_token& stop) {
      client
          ->Watch(ids[static_cast<size_t>(i)], {.stop = stop},
                  [&](const v1::WatchResponse& change) { told += change.cells_size(); })
          .IgnoreError();
    });
  }
  const absl::Time deadline = absl::Now() + kPatience;
  while (told < int64_t{watched} * cells) {
    if (absl::Now() > deadline) return Unavailable("watchers heard of {} tasks only", told.load());
    absl::SleepFor(absl::Milliseconds(20));
  }
  row["coordinator_mb watched"] = coordinator->AnonymousMiB();
  row["watchers"] = watched;
  return row;
}

}  // namespace

absl::StatusOr<nlohmann::json> WaitingTasks(int tasks) {
  nlohmann::json figures;
  const int large = std::max(1, tasks / kCells);
  ASSIGN_OR_RETURN(figures["waiting, large requests"], Waiting(large, std::min(tasks, kCells), large));
  ASSIGN_OR_RETURN(figures["waiting, single cells"], Waiting(tasks, 1, std::min(tasks, kWatchers)));
  return figures;
}

}  // namespace slipway
