#include "worker/daemon/daemon.h"

#include <fmt/ranges.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/metrics/metrics.h"
#include "common/store/claim.h"
#include "worker/daemon/backoff.h"
#include "worker/daemon/capabilities.h"
#include "worker/daemon/gate.h"
#include "worker/daemon/host_pool.h"
#include "worker/daemon/process_tree.h"
#include "worker/daemon/slot.h"
#include "worker/daemon/task_runner.h"
#include "worker/pipeline/entry.h"

namespace slipway {
namespace {

const metrics::Gauge kSlots("slipway_worker_slots", "Slots of this worker, total and busy.", {"state"});
const metrics::Gauge kMemory("slipway_worker_memory_bytes",
                             "Memory of this worker and all its processes, without the files that they map.");
const metrics::Gauge kTaskMemory("slipway_worker_task_memory_bytes", "Memory that a process of a task may take.");
const metrics::Gauge kClasses("slipway_worker_classes", "1 for each class of tasks that this worker takes.", {"class"});
const metrics::Counter kLost("slipway_worker_leases_lost_total",
                             "Running tasks that a heartbeat found to be another's by now, or cancelled.");
const metrics::Counter kHeartbeats("slipway_worker_heartbeats_total", "Heartbeats, by outcome.", {"outcome"});

constexpr absl::Duration kHelloTimeout = absl::Seconds(30);    // of the first child, on a machine that is just starting
constexpr absl::Duration kGiveBackTimeout = absl::Seconds(3);  // for returning tasks at the end, Redis willing
constexpr absl::Duration kRetryWhereSomebodyWaits = absl::Milliseconds(500);  // and no other machine may do better
constexpr char kToldToEnd[] = "the worker was told to end";

std::string WorkerName() {
  char host[256] = "worker";
  gethostname(host, sizeof(host) - 1);
  return fmt::format("{}-{}", host, RandomHex(4));
}

enum class Stop { kNo, kDrain, kNow, kParentGone };

// What lives as long as the worker. Never destroyed once slots run: they may be waiting for Redis when the process leaves.
class Worker {
 public:
  Worker(const WorkerOptions& options, WorkerScratch scratch)
      : options_(options), scratch_(std::move(scratch)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    self_.id = WorkerName();
    self_.host = self_.id.substr(0, self_.id.rfind('-'));
    self_.version = fmt::format("{}+{}", SLIPWAY_VERSION, BuildId());  // coordinators tell builds apart by it
    self_.slots = options.slots;
    self_.task_memory_bytes = options.task_memory;
    self_.classes = options.take_all ? AllClasses() : ClassesOf(JudgesOf(runtimes_), options.task_memory);
    if (!options.take_all) LogMissingJudges(JudgesOf(runtimes_), options.python);
    LogInfo("serves",
            {{"classes", fmt::format("{}", fmt::join(self_.classes, ","))}, {"slots", std::to_string(options.slots)}});
  }

  absl::Status Run(ZygoteProcess zygote) {
    absl::Status status = Start(std::move(zygote));
    if (status.ok() && stop_ == Stop::kNo) {
      if (options_.on_ready) options_.on_ready(self_.id);
      status = AwaitEnd();
    }
    End();
    return status;
  }

 private:
  // --- beginning

  absl::Status Start(ZygoteProcess process) {
    zygote_ = std::make_unique<Zygote>(
        std::move(process), [this](const ProcessExit& exit) { hosts_->OnExit(exit); },
        [this] { Fail(Internal("the zygote process was killed: no task can run any more")); });
    HostPoolOptions host_options;
    host_options.python = options_.python;
    host_options.require_jail = !options_.allow_unsandboxed;
    host_options.max_memory = options_.task_memory;
    hosts_ = std::make_unique<HostPool>(*zygote_, scratch_, host_options);
    const SlotOptions slot_options{options_.task_timeout, options_.tasks_per_child, !options_.allow_unsandboxed,
                                   host_options.max_memory};
    for (int i = 0; i < options_.slots; ++i) {
      slots_.push_back(std::make_unique<Slot>(*zygote_, scratch_, *hosts_, slot_options));
      RETURN_IF_ERROR(slots_.back()->Warm());
    }
    hosts_->Prewarm(options_.prewarm);

    OpenStoreOptions store_options = options_.store_options;
    if (store_options.cache.empty()) {
      ASSIGN_OR_RETURN(store_options.cache, scratch_.NewFolder("blobs-"));
    }
    absl::StatusOr<std::unique_ptr<Store>> store = OpenStore(options_.store, store_options);
    if (!store.ok()) return Annotate(store.status(), "--store");
    store_ = *std::move(store);
    ASSIGN_OR_RETURN(const JailLevel jail, slots_[0]->AwaitJail(SteadyNow() + kHelloTimeout));
    if (jail == JailLevel::kNone) LogWarning("running without a jail", {{"why", "the kernel has none"}});
    RETURN_IF_ERROR(Connect());
    if (stop_ != Stop::kNo) return absl::OkStatus();

    TaskRunnerOptions runner;
    runner.worker = self_.id;
    runner.jail = jail;
    runner.task_timeout = options_.task_timeout;
    runner.judge_timeout = options_.judge_timeout;
    runner.runtimes = runtimes_;
    runner.cache = options_.cache;
    runner.sole = options_.take_all;
    if (runner.sole) runner.retry_delay = kRetryWhereSomebodyWaits;
    runner.seed = std::stoull(RandomHex(8), nullptr, 16);
    runner.lease = options_.queue.lease;
    runner_ = std::make_unique<TaskRunner>(*queue_, *store_, runner);
    RETURN_IF_ERROR(queue_->OnCancelled([this](const std::string& request) {
      for (const auto& slot : slots_) slot->AbandonRequest(request);
    }));
    kSlots.Set({"total"}, options_.slots);
    kSlots.Set({"busy"}, 0);
    kTaskMemory.Set({}, static_cast<double>(options_.task_memory));
    for (const std::string& task_class : self_.classes) kClasses.Set({task_class}, 1);
    for (const auto& slot : slots_) std::thread([this, &slot = *slot] { SlotLoop(slot); }).detach();
    std::thread([this] { HeartbeatLoop(); }).detach();
    std::thread([this] { TidyLoop(); }).detach();
    return absl::OkStatus();
  }

  absl::Status ConnectToQueue() {
    if (queue_ != nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(queue_, ConnectQueue(options_.queue));
    return absl::OkStatus();
  }

  // UNAVAILABLE while the store is not this farm's: below an empty mount point nobody would find what is stored. The farm's only worker was
  // started together with its store.
  absl::Status CheckStore() {
    if (options_.take_all) return absl::OkStatus();
    ASSIGN_OR_RETURN(const NotedStore noted, queue_->Noted());
    const absl::Status claim = CheckClaim(*store_, noted.farm, noted.file_system, options_.store);
    return claim.ok() ? claim : Unavailable("{}", Message(claim));
  }

  // Until Redis and the farm's store are there and this worker is registered, or it is told to stop.
  absl::Status Connect() {
    Backoff backoff;
    for (;;) {
      std::string_view missing = "Redis is not there yet";
      absl::Status status = ConnectToQueue();
      if (status.ok()) {
        status = CheckStore();
        if (!status.ok()) missing = "the farm's store is not there yet";
      }
      if (status.ok()) {
        self_.memory_bytes = MemoryOfTree(getpid());
        status = queue_->Heartbeat(self_, {}).status();
      }
      if (status.ok() || !absl::IsUnavailable(status)) return status;
      LogWarning(missing, {{"reason", Message(status)}});
      stop_ = PollEvents(backoff.Next());
      if (stop_ != Stop::kNo) return absl::OkStatus();
      RETURN_IF_ERROR(Failure());
    }
  }

  // --- work

  void SlotLoop(Slot& slot) {
    // The token is chosen before asking, and kept until an answer came: a lost reply is asked for again.
    LeaseRequest next{self_.id, RandomHex(16), self_.classes};
    Backoff backoff;
    while (gate_.Enter(slot)) {
      const absl::Time asked = metrics::Histogram::Now();
      auto lease = queue_->Lease(next);
      if (lease.ok() && *lease) TaskMeter::Leased(asked);
      while (lease.ok()) {
        backoff.Reset();
        if (lease->has_value()) {
          lease = Work(slot, **lease, next);
        } else {
          if (!gate_.AwaitTurn(slot)) break;
          lease = queue_->AwaitLease(next);
          gate_.EndTurn();
        }
      }
      if (lease.ok()) continue;
      gate_.Leave();
      LogWarning("cannot lease", {{"reason", Message(lease.status())}});
      if (absl::IsFailedPrecondition(lease.status())) return Fail(lease.status());
      gate_.Pause(backoff.Next());
    }
  }

  // Does a leased task; then what `next` was answered, whose token is a new one for each task.
  absl::StatusOr<std::optional<LeasedTask>> Work(Slot& slot, const LeasedTask& task, LeaseRequest& next) {
    next.token = RandomHex(16);
    if (gate_.draining()) {
      queue_->Return(task, {.count_attempt = false, .reason = kToldToEnd}).status().IgnoreError();
      return std::optional<LeasedTask>();
    }
    Failpoint("worker.leased");
    kSlots.Add({"busy"}, 1);
    slot.Begin(task.token, task.request);
    Hold(slot, &task);
    auto ended = runner_->Run(task, slot, [&]() -> std::optional<LeaseRequest> {
      return gate_.MayLease(slot) ? std::optional(next) : std::nullopt;
    });
    Hold(slot, nullptr);
    slot.End();
    kSlots.Add({"busy"}, -1);
    gate_.Learn(slot, ended.machine, ended.reason);
    if (ended.leased) return *std::move(ended.leased);
    if (!gate_.MayLease(slot)) return std::optional<LeasedTask>();
    return queue_->Lease(next);
  }

  void Hold(const Slot& slot, const LeasedTask* task) {
    std::lock_guard lock(mutex_);
    held_[&slot] = task;
  }

  // What slots still hold that something keeps from ending: a store that does not answer. What they say of it later is fenced.
  void GiveBackHeld() {
    std::vector<LeasedTask> held;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [slot, task] : held_) {
        if (task != nullptr) held.push_back(*task);
      }
    }
    for (const LeasedTask& task : held) {
      if (!queue_->Return(task, {.count_attempt = false, .reason = kToldToEnd}).ok()) return;
    }
  }

  bool EndsWithin(absl::Duration patience) {
    std::unique_lock lock(mutex_);
    return end_.wait_for(lock, absl::ToChronoMilliseconds(patience), [this] { return ended_; });
  }

  // On a thread of its own: a large folder takes long.
  void TidyLoop() {
    while (!EndsWithin(options_.queue.lease)) scratch_.RemoveLeftovers();
  }

  void HeartbeatLoop() {
    while (!EndsWithin(options_.queue.lease / 5)) {
      std::vector<std::string> tokens;
      for (const auto& slot : slots_) {
        slot->KillIfOverdue(SteadyNow());
        if (auto token = slot->token()) tokens.push_back(*std::move(token));
      }
      WorkerView view = self_;
      view.busy = static_cast<int>(tokens.size());
      view.memory_bytes = MemoryOfTree(getpid());
      kMemory.Set({}, static_cast<double>(view.memory_bytes));
      std::lock_guard signing(signing_);
      if (signed_off_) return;
      const auto lost = queue_->Heartbeat(view, tokens);
      Failpoint("worker.heartbeat");
      kHeartbeats.Add({lost.ok() ? "ok" : "failed"});
      if (!lost.ok()) {
        LogWarning("heartbeat failed", {{"reason", Message(lost.status())}});
        continue;
      }
      kLost.Add({}, static_cast<double>(lost->size()));
      for (const std::string& token : *lost) {
        for (const auto& slot : slots_) slot->AbandonToken(token);
      }
    }
  }

  // --- ending

  // Any thread: ends the worker with `status`.
  void Fail(absl::Status status) {
    {
      std::lock_guard lock(mutex_);
      if (failure_.ok()) failure_ = std::move(status);
    }
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
  }

  absl::Status Failure() {
    std::lock_guard lock(mutex_);
    return failure_;
  }

  // Waits for a signal, the parent's end or Fail().
  Stop PollEvents(absl::Duration patience) {
    pollfd events[3] = {{options_.signal_fd, POLLIN, 0}, {options_.parent_fd, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    const int milliseconds =
        patience == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(patience));
    if (poll(events, 3, milliseconds) <= 0) return Stop::kNo;
    if (events[1].revents != 0) {
      char byte;
      if (read(options_.parent_fd, &byte, 1) <= 0) return Stop::kParentGone;
    }
    if (events[0].revents != 0) {
      signalfd_siginfo info;
      if (read(options_.signal_fd, &info, sizeof(info)) > 0) return Stop::kDrain;
    }
    return Stop::kNo;
  }

  absl::Status AwaitEnd() {
    while (stop_ == Stop::kNo && Failure().ok()) stop_ = PollEvents(absl::InfiniteDuration());
    gate_.Drain();
    // On a thread of its own: Redis may be away.
    if (stop_ != Stop::kParentGone) {
      std::thread([this] { queue_->Rouse(self_.id, LeaseGate::kWaitingSlots).IgnoreError(); }).detach();
    }
    if (stop_ == Stop::kDrain) {
      LogInfo("draining");
      const absl::Time deadline = SteadyNow() + options_.drain_timeout;
      // Short rounds: a slot's end is not an event of poll's.
      while (stop_ == Stop::kDrain && Failure().ok() && SteadyNow() < deadline &&
             !gate_.AwaitIdle(absl::Milliseconds(50))) {
        if (PollEvents(absl::ZeroDuration()) != Stop::kNo) stop_ = Stop::kNow;
      }
    }
    for (const auto& slot : slots_) slot->AbandonAny(Abandon::kDraining);
    if (stop_ != Stop::kParentGone) {
      if (!gate_.AwaitIdle(kGiveBackTimeout)) GiveBackHeld();
      std::lock_guard signing(signing_);
      signed_off_ = true;
      if (absl::Status removed = queue_->RemoveWorker(self_.id); !removed.ok()) {
        LogWarning("cannot sign off", {{"reason", Message(removed)}});
      }
    }
    return Failure();
  }

  void End() {
    gate_.Drain();
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      end_.notify_all();
    }
    if (zygote_ != nullptr) zygote_->Shutdown();
    scratch_.Remove();
  }

  const WorkerOptions options_;
  const std::string runtimes_ = RuntimesOf(options_.python);
  WorkerScratch scratch_;
  UniqueFd wake_;
  WorkerView self_;
  std::unique_ptr<Zygote> zygote_;
  std::unique_ptr<HostPool> hosts_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Queue> queue_;
  std::unique_ptr<TaskRunner> runner_;
  std::vector<std::unique_ptr<Slot>> slots_;
  LeaseGate gate_{/*pauses=*/!options_.take_all};
  Stop stop_ = Stop::kNo;  // the main thread's

  std::mutex signing_;  // a late heartbeat must not sign this worker on again
  bool signed_off_ = false;

  std::mutex mutex_;
  std::condition_variable end_;
  std::map<const Slot*, const LeasedTask*> held_;  // what each works on; null: nothing
  bool ended_ = false;
  absl::Status failure_;
};

}  // namespace

absl::Status RunWorker(const WorkerOptions& options, ZygoteProcess zygote) {
  absl::StatusOr<WorkerScratch> scratch = WorkerScratch::Create(options.scratch);
  if (!scratch.ok()) return Annotate(scratch.status(), "--scratch");
  auto* worker = new Worker(options, *std::move(scratch));  // see its comment
  return worker->Run(std::move(zygote));
}

}  // namespace slipway
