#include "bench/failover.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "bench/noop.h"
#include "bench/processes.h"
#include "client/lib/farm_client.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/task/task_class.h"

namespace slipway {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kSteady = absl::Milliseconds(10);  // between two events
constexpr absl::Duration kCalm = absl::Milliseconds(300);   // before and after a fault
constexpr absl::Duration kNap = absl::Milliseconds(5);
constexpr absl::Duration kStopped = absl::Seconds(5);  // of a coordinator that is the only one
constexpr double kMaintenance = 0.5;                   // seconds
constexpr int kEventCells = 20'000;

// Of a clock that goes on as CLOCK_MONOTONIC, which no-op tasks tell.
int64_t MonotonicNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

nlohmann::json Spread(const std::string& figure, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {{figure + " p50", values[values.size() / 2]}, {figure + " max", values.back()}};
}

absl::StatusOr<std::unique_ptr<FarmClient>> Connect(const std::string& servers) {
  return FarmClient::Connect(servers, absl::Now() + kPatience);
}

// --- workers

// Each of `workers` has leased a task of `request` and does not get on with it.
absl::StatusOr<std::vector<uint32_t>> AwaitHeld(FarmClient& farm, const std::string& request, size_t workers) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (absl::Now() < deadline) {
    ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(request));
    std::vector<uint32_t> held;
    for (const v1::Cell& cell : status.cells) {
      if (cell.state() == v1::CELL_STATE_RUNNING) held.push_back(cell.index());
    }
    if (held.size() == workers) return held;
    absl::SleepFor(kNap);
  }
  return Unavailable("{} workers did not lease a task each", workers);
}

// Seconds from each kill until the task was begun anew. `killed`: CLOCK_MONOTONIC, by cell.
absl::StatusOr<std::vector<double>> AwaitElsewhere(FarmClient& farm, const std::string& request,
                                                   const std::map<uint32_t, int64_t>& killed) {
  std::map<uint32_t, double> seconds;
  WatchOptions watching;
  std::stop_source enough;
  watching.stop = enough.get_token();
  const absl::Status status = farm.Watch(request, watching, [&](const v1::WatchResponse& change) {
    for (const v1::Cell& cell : change.cells()) {
      int64_t begun = 0;
      if (!killed.contains(cell.index()) || std::sscanf(cell.reason().c_str(), "started_ns=%ld", &begun) != 1) continue;
      seconds[cell.index()] = static_cast<double>(begun - killed.at(cell.index())) * 1e-9;
    }
    if (seconds.size() == killed.size()) enough.request_stop();
  });
  if (seconds.size() != killed.size())
    return Internal("of {} tasks of killed workers {} ran elsewhere: {}", killed.size(), seconds.size(),
                    Message(status));
  std::vector<double> values;
  for (const auto& [cell, value] : seconds) values.push_back(value);
  return values;
}

// --- coordinators

// A request whose tasks end one after the other, at a steady pace.
class SteadyEvents {
 public:
  static absl::StatusOr<std::unique_ptr<SteadyEvents>> Start(const FarmProcesses& farm, FarmClient& client) {
    std::unique_ptr<SteadyEvents> events(new SteadyEvents);
    ASSIGN_OR_RETURN(events->queue_, ConnectQueue(farm.queue_options()));
    ASSIGN_OR_RETURN(const v1::SubmitResponse submitted, client.Submit(NoopRequest(kEventCells)));
    events->request_ = submitted.request_id();
    events->thread_ = std::jthread([self = events.get()](const std::stop_token& stop) { self->Run(stop); });
    return events;
  }
  const std::string& request() const { return request_; }

 private:
  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      absl::SleepFor(kSteady);
      const auto task = queue_->Lease({.worker = "bench", .token = RandomHex(16), .classes = AllClasses()});
      if (!task.ok() || !*task) continue;
      queue_->Commit({.request = (*task)->request, .index = (*task)->index, .token = (*task)->token})
          .status()
          .IgnoreError();
    }
  }
  std::unique_ptr<Queue> queue_;
  std::string request_;
  std::jthread thread_;
};

// A watcher, and when it heard something.
class Watcher {
 public:
  Watcher(FarmClient& farm, const std::string& request)
      : thread_([this, &farm, request](const std::stop_token& stop) {
          const absl::Status status =
              farm.Watch(request, {.stop = stop}, [this](const v1::WatchResponse&) { Heard(); });
          if (!stop.stop_requested()) Fail(status);
        }) {}

  // Since `since`, the longest time without an event less the usual one.
  double LongestGapMs(absl::Time since) {
    std::lock_guard lock(mutex_);
    absl::Duration longest;
    for (size_t i = 1; i < heard_.size(); ++i) {
      if (heard_[i] >= since) longest = std::max(longest, heard_[i] - heard_[i - 1]);
    }
    return absl::ToDoubleMilliseconds(std::max(longest - kSteady, absl::ZeroDuration()));
  }
  absl::Status AwaitEventAfter(absl::Time time) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      {
        std::lock_guard lock(mutex_);
        RETURN_IF_ERROR(failure_);
        if (!heard_.empty() && heard_.back() > time) return absl::OkStatus();
      }
      absl::SleepFor(kNap);
    }
    return Unavailable("a watcher heard nothing more");
  }

 private:
  void Heard() {
    std::lock_guard lock(mutex_);
    heard_.push_back(absl::Now());
  }
  void Fail(const absl::Status& status) {
    std::lock_guard lock(mutex_);
    failure_ = status.ok() ? Internal("the request ended") : status;
  }
  std::mutex mutex_;
  std::vector<absl::Time> heard_;
  absl::Status failure_;
  std::jthread thread_;
};

class CoordinatorTrials {
 public:
  static absl::StatusOr<std::unique_ptr<CoordinatorTrials>> Start(int coordinators) {
    std::unique_ptr<CoordinatorTrials> trials(new CoordinatorTrials);
    ASSIGN_OR_RETURN(trials->farm_, FarmProcesses::Start(15));
    std::string all;
    for (int i = 0; i < coordinators; ++i) {
      ASSIGN_OR_RETURN(trials->daemons_.emplace_back(), trials->farm_->StartCoordinator());
      trials->addresses_.push_back(trials->daemons_.back()->ready());
      all += (i == 0 ? "" : ",") + trials->addresses_.back();
    }
    ASSIGN_OR_RETURN(trials->client_, Connect(all));
    ASSIGN_OR_RETURN(trials->caller_, Connect(all));
    ASSIGN_OR_RETURN(trials->events_, SteadyEvents::Start(*trials->farm_, *trials->client_));
    trials->watcher_ = std::make_unique<Watcher>(*trials->client_, trials->events_->request());
    return trials;
  }

  // kill -9, and where it was started again at once, how long that took. The gap in milliseconds, without that.
  absl::StatusOr<double> Kill() {
    RETURN_IF_ERROR(Calm());
    const size_t victim = InUse(*client_);
    const absl::Time killed = absl::Now();
    daemons_[victim]->Kill();
    if (daemons_.size() > 1) RETURN_IF_ERROR(AwaitOther(victim));
    const absl::Time starting = absl::Now();
    ASSIGN_OR_RETURN(daemons_[victim], farm_->StartCoordinator(addresses_[victim]));
    const double start_ms = absl::ToDoubleMilliseconds(absl::Now() - starting);
    RETURN_IF_ERROR(Calm());
    const double gap = watcher_->LongestGapMs(killed);
    return daemons_.size() > 1 ? gap : std::max(0.0, gap - start_ms);
  }

  struct Stopped {
    double gap_ms = 0, call_ms = 0;
  };
  // SIGSTOP. With others: until one of them has taken over. The only one: it goes on after a while, which does not count.
  absl::StatusOr<Stopped> Stop() {
    RETURN_IF_ERROR(Calm());
    const size_t victim = InUse(*client_);
    for (int tries = 0; InUse(*caller_) != victim && tries < 100; ++tries) {
      ASSIGN_OR_RETURN(caller_, Connect(Servers()));
    }
    RETURN_IF_ERROR(caller_->List(1).status());
    const absl::Time stopped = absl::Now();
    daemons_[victim]->Signal(SIGSTOP);
    Stopped result;
    std::jthread waker;
    if (daemons_.size() == 1) {
      waker = std::jthread([&] {
        absl::SleepFor(kStopped);
        daemons_[victim]->Signal(SIGCONT);
      });
    }
    const absl::Status called = caller_->List(1).status();
    result.call_ms = absl::ToDoubleMilliseconds(absl::Now() - stopped);
    const absl::Status moved = daemons_.size() > 1 ? AwaitOther(victim) : absl::OkStatus();
    if (waker.joinable()) waker.join();
    daemons_[victim]->Signal(SIGCONT);
    RETURN_IF_ERROR(called);
    RETURN_IF_ERROR(moved);
    RETURN_IF_ERROR(Calm());
    result.gap_ms = watcher_->LongestGapMs(stopped);
    if (daemons_.size() == 1) {
      result.gap_ms = std::max(0.0, result.gap_ms - absl::ToDoubleMilliseconds(kStopped));
      result.call_ms = std::max(0.0, result.call_ms - absl::ToDoubleMilliseconds(kStopped));
    }
    return result;
  }

 private:
  size_t InUse(const FarmClient& client) const {
    return static_cast<size_t>(std::find(addresses_.begin(), addresses_.end(), client.server()) - addresses_.begin());
  }
  std::string Servers() const {
    std::string all;
    for (const std::string& address : addresses_) all += (all.empty() ? "" : ",") + address;
    return all;
  }
  // The watcher hears something at another.
  absl::Status AwaitOther(size_t victim) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (InUse(*client_) == victim) {
      if (absl::Now() > deadline) return Unavailable("a watcher stayed at a coordinator that does not answer");
      absl::SleepFor(kNap);
    }
    return watcher_->AwaitEventAfter(absl::Now());
  }
  // It hears the usual events for a while.
  absl::Status Calm() {
    RETURN_IF_ERROR(watcher_->AwaitEventAfter(absl::Now()));
    absl::SleepFor(kCalm);
    return absl::OkStatus();
  }

  std::unique_ptr<FarmProcesses> farm_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<Daemon>> daemons_;
  std::unique_ptr<FarmClient> client_, caller_;
  std::unique_ptr<SteadyEvents> events_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace

absl::StatusOr<nlohmann::json> KilledWorkers(const FailoverBenchOptions& options) {
  ASSIGN_OR_RETURN(const auto farm, FarmProcesses::Start(options.lease_s));
  ASSIGN_OR_RETURN(const auto first, farm->StartCoordinator());
  ASSIGN_OR_RETURN(const auto second, farm->StartCoordinator());
  ASSIGN_OR_RETURN(const auto client, Connect(first->ready() + "," + second->ready()));
  // Each leases one task, and its child does not get to work.
  std::vector<std::unique_ptr<Daemon>> victims;
  std::vector<std::string> names;
  for (int i = 0; i < options.workers; ++i) {
    ASSIGN_OR_RETURN(victims.emplace_back(), farm->StartWorker());
    for (const pid_t child : victims.back()->Children()) kill(child, SIGSTOP);
  }
  ASSIGN_OR_RETURN(const v1::SubmitResponse held, client->Submit(NoopRequest(options.backlog)));
  ASSIGN_OR_RETURN(const std::vector<uint32_t> cells, AwaitHeld(*client, held.request_id(), victims.size()));
  ASSIGN_OR_RETURN(const RequestStatus status, client->Get(held.request_id()));
  std::map<std::string, uint32_t> cell_of;  // by worker
  for (const uint32_t cell : cells) cell_of[status.cells.at(cell).worker()] = cell;

  // The backlog stays as long as it was.
  absl::Status fed;
  std::jthread feeder([&](const std::stop_token& stop) {
    while (fed.ok() && !stop.stop_requested()) {
      const auto queue = client->GetQueue();
      fed = queue.status();
      if (queue.ok() && queue->open() < 2 * static_cast<uint64_t>(options.backlog))
        fed = client->Submit(NoopRequest(options.backlog)).status();
      absl::SleepFor(kNap);
    }
  });
  ASSIGN_OR_RETURN(const auto survivor, farm->StartWorker());
  // At all moments between two heartbeats, and between two rounds of maintenance.
  const absl::Duration apart = absl::Seconds(options.lease_s / 5 / options.workers + kMaintenance / options.workers);
  std::map<uint32_t, int64_t> killed;
  for (const auto& victim : victims) {
    absl::SleepFor(apart);
    const std::string id = victim->ready().substr(victim->ready().rfind(' ') + 1);
    if (!cell_of.contains(id)) return Internal("worker {} holds no task", id);
    victim->Kill();
    killed[cell_of[id]] = MonotonicNanoseconds();
  }
  ASSIGN_OR_RETURN(const std::vector<double> seconds, AwaitElsewhere(*client, held.request_id(), killed));
  feeder.request_stop();
  feeder.join();
  RETURN_IF_ERROR(fed);
  nlohmann::json row = Spread("elsewhere_s", seconds);
  row["lease_s"] = options.lease_s;
  return nlohmann::json{{"killed worker", row}};
}

absl::StatusOr<nlohmann::json> LostCoordinators(const FailoverBenchOptions& options) {
  nlohmann::json figures;
  for (const int coordinators : {2, 1}) {
    const std::string suffix = coordinators == 1 ? ", the only one" : "";
    ASSIGN_OR_RETURN(const auto trials, CoordinatorTrials::Start(coordinators));
    std::vector<double> gaps, stopped_gaps, stopped_calls;
    for (int i = 0; i < options.coordinators; ++i) {
      ASSIGN_OR_RETURN(gaps.emplace_back(), trials->Kill());
    }
    figures["killed coordinator" + suffix] = Spread("gap_ms", gaps);
    for (int i = 0; i < options.stops; ++i) {
      ASSIGN_OR_RETURN(const CoordinatorTrials::Stopped stopped, trials->Stop());
      stopped_gaps.push_back(stopped.gap_ms);
      stopped_calls.push_back(stopped.call_ms);
    }
    nlohmann::json row = Spread("gap_ms", stopped_gaps);
    row.update(Spread("call_ms", stopped_calls));
    figures["stopped coordinator" + suffix] = row;
  }
  return figures;
}

absl::StatusOr<nlohmann::json> BenchFailover(const FailoverBenchOptions& options) {
  nlohmann::json figures = nlohmann::json::object();
  const auto add = [&](std::string_view part, auto measure) -> absl::Status {
    if (!options.parts.contains(std::string(part))) return absl::OkStatus();
    ASSIGN_OR_RETURN(const nlohmann::json rows, measure());
    figures.update(rows);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(add("workers", [&] { return KilledWorkers(options); }));
  RETURN_IF_ERROR(add("coordinators", [&] { return LostCoordinators(options); }));
  RETURN_IF_ERROR(add("waiting", [&] { return WaitingTasks(options.waiting); }));
  return figures;
}

}  // namespace slipway
