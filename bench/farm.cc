#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/time/clock.h"
#include "bench/bench.h"
#include "bench/noop.h"
#include "client/embedded/embedded_farm.h"
#include "client/lib/farm_client.h"
#include "common/base/error.h"
#include "common/base/installation.h"

namespace slipway {
namespace {

// CPU seconds of this process and everything below it, the dead included.
double TreeCpuSeconds() {
  std::map<pid_t, pid_t> parents;
  std::map<pid_t, double> cpu;
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = 0;
    const std::string name = entry.path().filename();
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const size_t after_name = stat.rfind(')');
    if (after_name == std::string::npos) continue;
    // man 5 proc: state ppid … (14) utime stime cutime cstime
    char state;
    long parent, skip;
    unsigned long user, system;
    long dead_user, dead_system;
    if (std::sscanf(stat.c_str() + after_name + 1, " %c %ld %ld %ld %ld %ld %ld %ld %ld %ld %ld %lu %lu %ld %ld",
                    &state, &parent, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &user, &system,
                    &dead_user, &dead_system) != 15) {
      continue;
    }
    parents[pid] = static_cast<pid_t>(parent);
    cpu[pid] = (static_cast<double>(user + system) + static_cast<double>(dead_user + dead_system)) / tick;
  }
  double total = 0;
  for (const auto& [pid, seconds] : cpu) {
    for (pid_t at = pid; at > 1; at = parents.contains(at) ? parents[at] : 0) {
      if (at != getpid()) continue;
      total += seconds;
      break;
    }
  }
  return total;
}

absl::Status WaitEnded(FarmClient& farm, const std::string& request, int cells) {
  int passed = 0;
  RETURN_IF_ERROR(farm.Watch(request, {}, [&](const v1::WatchResponse& change) {
    for (const v1::Cell& cell : change.cells()) passed += cell.state() == v1::CELL_STATE_PASSED;
  }));
  if (passed != cells) return Internal("{} of {} tasks of request {} passed", passed, cells, request);
  return absl::OkStatus();
}

nlohmann::json Rates(int tasks, absl::Duration wall, double cpu_seconds) {
  return {{"tasks_per_s", tasks / absl::ToDoubleSeconds(wall)}, {"cpu_ms_per_task", cpu_seconds * 1000 / tasks}};
}

absl::StatusOr<nlohmann::json> Bulk(FarmClient& farm, int tasks) {
  const double cpu = TreeCpuSeconds();
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(const v1::SubmitResponse submitted, farm.Submit(NoopRequest(tasks)));
  RETURN_IF_ERROR(WaitEnded(farm, submitted.request_id(), tasks));
  return Rates(tasks, absl::Now() - start, TreeCpuSeconds() - cpu);
}

// N requests of one cell from a few clients at once, for models of the same name or each of its own; the clock stops when the last has ended.
absl::StatusOr<nlohmann::json> OneByOne(FarmClient& farm, int tasks, bool distinct) {
  constexpr int kClients = 8;
  std::vector<std::string> requests(static_cast<size_t>(tasks));
  std::vector<absl::Status> failures(kClients);
  std::atomic<int> next = 0;
  const double cpu = TreeCpuSeconds();
  const absl::Time start = absl::Now();
  {
    std::vector<std::jthread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&, client] {
        for (int i = next++; i < tasks; i = next++) {
          auto submitted = farm.Submit(NoopRequest(1, distinct ? fmt::format("m{}-", i) : ""));
          if (!submitted.ok()) {
            failures[static_cast<size_t>(client)] = submitted.status();
            return;
          }
          requests[static_cast<size_t>(i)] = submitted->request_id();
        }
      });
    }
  }
  for (const absl::Status& failure : failures) RETURN_IF_ERROR(failure);
  RETURN_IF_ERROR(WaitEnded(farm, requests.back(), 1));
  // Requests end nearly in order: once the last has, the others are asked only to be sure.
  absl::Time ended = absl::Now();
  const double cpu_used = TreeCpuSeconds() - cpu;
  for (const std::string& request : requests) {
    ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(request));
    if (status.request.open() == 0) continue;
    RETURN_IF_ERROR(WaitEnded(farm, request, 1));
    ended = absl::Now();
  }
  return Rates(tasks, ended - start, cpu_used);
}

int64_t MonotonicNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// Milliseconds from before Submit to the first statement in the child, which a no-op task reports as its reason.
absl::StatusOr<nlohmann::json> StartLatency(FarmClient& farm, int tasks) {
  std::vector<double> milliseconds;
  for (int i = 0; i < tasks; ++i) {
    const int64_t submitted_at = MonotonicNanoseconds();
    ASSIGN_OR_RETURN(const v1::SubmitResponse submitted, farm.Submit(NoopRequest(1)));
    RETURN_IF_ERROR(WaitEnded(farm, submitted.request_id(), 1));
    ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(submitted.request_id()));
    int64_t started_at = 0;
    if (std::sscanf(status.cells.at(0).reason().c_str(), "started_ns=%ld", &started_at) != 1) {
      return Internal("a no-op task did not say when it started: '{}'", status.cells.at(0).reason());
    }
    milliseconds.push_back(static_cast<double>(started_at - submitted_at) * 1e-6);
    absl::SleepFor(absl::Milliseconds(2));  // idle again
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return nlohmann::json{{"p50", milliseconds[milliseconds.size() / 2]},
                        {"p99", milliseconds[milliseconds.size() * 99 / 100]}};
}

}  // namespace

absl::StatusOr<nlohmann::json> BenchFarm(const FarmBenchOptions& options) {
  EmbeddedFarmOptions farm_options;
  ASSIGN_OR_RETURN(farm_options.redis_server, FindRedisServer());
  farm_options.binaries = OwnFolder();
  farm_options.slots = options.slots;
  farm_options.durable = true;
  ASSIGN_OR_RETURN(const auto embedded, EmbeddedFarm::Start(farm_options));
  ASSIGN_OR_RETURN(const std::string address, embedded->WaitReady(absl::Now() + absl::Seconds(30)));
  ASSIGN_OR_RETURN(const auto farm, FarmClient::Connect(address, absl::Now() + absl::Seconds(10)));
  RETURN_IF_ERROR(Bulk(*farm, 100).status());  // warm: children forked, scripts loaded

  nlohmann::json figures;
  ASSIGN_OR_RETURN(figures["start_ms"], StartLatency(*farm, options.latencies));
  ASSIGN_OR_RETURN(figures["noop_single"], OneByOne(*farm, options.tasks, /*distinct=*/false));
  ASSIGN_OR_RETURN(figures["noop_distinct"], OneByOne(*farm, options.tasks, /*distinct=*/true));
  ASSIGN_OR_RETURN(figures["noop_bulk"], Bulk(*farm, options.tasks));
  return figures;
}

}  // namespace slipway
