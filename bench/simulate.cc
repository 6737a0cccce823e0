#include "bench/simulate.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <queue>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/time/clock.h"
#include "bench/processes.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/queue/connection.h"
#include "common/queue/plan.h"
#include "common/queue/records.h"
#include "common/queue/redis_queue.h"

namespace slipway {
namespace {

constexpr absl::Duration kAnswer = absl::Seconds(60);
constexpr absl::Duration kMaintainEvery = absl::Milliseconds(500);
constexpr absl::Duration kRetention = absl::Seconds(1);   // so that Redis holds what is alive and little else
constexpr absl::Duration kIdle = absl::Milliseconds(20);  // until a slot that found nothing asks again
constexpr absl::Duration kStuck = absl::Minutes(5);       // without any commit
constexpr size_t kCallsTogether = 256;                    // of one thread
constexpr int kCellsPerPreparation = 10;

using Commands = std::vector<std::vector<std::string>>;

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

// A redis-server of one shard, which knows the scripts.
class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(int shard) {
    ASSIGN_OR_RETURN(std::unique_ptr<RedisProcess> process, RedisProcess::Start());
    std::unique_ptr<Server> server(new Server(std::move(process), shard));
    ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, server->Connect());
    for (const ScriptSource& script : ScriptSources()) {
      const std::vector<std::string> load = {"SCRIPT", "LOAD", std::string(script.text)};
      RETURN_IF_ERROR(connection->Call(load, absl::Now() + kAnswer).status());
    }
    return server;
  }

  QueueOptions options() const {
    QueueOptions options;
    options.address = process_->address();
    options.shard = shard();
    options.retention = kRetention;
    return options;
  }
  std::string shard() const { return std::to_string(shard_); }
  std::string meta_key() const { return KeyPrefix(options()) + "meta"; }
  absl::StatusOr<std::unique_ptr<Connection>> Connect() const { return RedisProcess::Connect(options()); }

 private:
  Server(std::unique_ptr<RedisProcess> process, int shard) : process_(std::move(process)), shard_(shard) {}
  const std::unique_ptr<RedisProcess> process_;
  const int shard_;
};

std::vector<std::string> ScriptCommand(const Server& server, std::string_view script,
                                       std::vector<std::string> arguments) {
  std::vector<std::string> command = {"EVALSHA", FindScript(script).sha1, "1", server.meta_key()};
  std::move(arguments.begin(), arguments.end(), std::back_inserter(command));
  return command;
}

// What all threads of a shard know.
struct Shard {
  std::unique_ptr<Server> server;
  int64_t tasks = 0;  // of its own
  std::atomic<int64_t> submitted = 0, ended = 0, lost = 0, leases = 0, commands = 0, fenced = 0;
  std::mutex mutex;
  std::unordered_map<std::string, std::vector<bool>> open;  // request → which of its tasks have been committed
  absl::Status failure;

  void Fail(const absl::Status& status) {
    std::lock_guard lock(mutex);
    if (failure.ok()) failure = status;
  }
  bool Failed() {
    std::lock_guard lock(mutex);
    return !failure.ok();
  }
  bool Done() { return ended >= tasks || Failed(); }

  // Once a task.
  void Committed(const std::string& request, uint32_t index) {
    std::lock_guard lock(mutex);
    const auto found = open.find(request);
    if (found == open.end() || index >= found->second.size() || found->second[index]) {
      if (failure.ok()) failure = Internal("task {} of request {} was committed twice", index, request);
      return;
    }
    found->second[index] = true;
    ++ended;
    if (std::all_of(found->second.begin(), found->second.end(), [](bool committed) { return committed; }))
      open.erase(found);
  }
};

// A slot of a worker: it asks, works, commits; one exchange a step.
struct SimulatedSlot {
  int worker = 0;
  std::string token;
  std::string request;  // of the task that it holds; empty: none
  uint32_t index = 0;
  bool dead = false;  // it holds a task and will never say so
};

class Player {
 public:
  Player(Shard& shard, const SimulateOptions& options, int first_worker, int workers, bool submits, uint64_t seed)
      : shard_(shard), options_(options), submits_(submits), random_(seed) {
    for (int worker = 0; worker < workers; ++worker) {
      for (int slot = 0; slot < options.slots; ++slot) {
        slots_.push_back({.worker = first_worker + worker, .token = Token()});
        due_.push({absl::InfinitePast(), slots_.size() - 1});
      }
    }
    first_worker_ = first_worker;
    workers_ = workers;
  }

  void Run() {
    absl::StatusOr<std::unique_ptr<Connection>> connection = shard_.server->Connect();
    absl::Status status = connection.status();
    while (status.ok() && !shard_.Done()) status = Round(**connection);
    if (!status.ok()) shard_.Fail(status);
  }

 private:
  struct Due {
    absl::Time time;
    size_t slot;
    bool operator<(const Due& other) const { return time > other.time; }  // the earliest on top
  };

  std::string Token() { return fmt::format("{:016x}{:016x}", random_.Next(), random_.Next()); }
  std::string Worker(int number) const { return fmt::format("worker-{}", number); }
  std::string Lease() const { return std::to_string(static_cast<int64_t>(options_.lease_s * 1000)); }

  // What is due, in one exchange.
  absl::Status Round(Connection& connection) {
    commands_.clear();
    actions_.clear();
    const absl::Time now = absl::Now();
    if (submits_) Submit();
    Heartbeats(now);
    if (submits_ && now >= maintain_) {
      maintain_ = now + std::min(kMaintainEvery, absl::Seconds(options_.lease_s / 10));
      Add({}, "reap", {connection.run_id(), Lease(), "5", "0", "0", "500"});
    }
    while (!due_.empty() && due_.top().time <= now && commands_.size() < kCallsTogether) {
      const size_t slot = due_.top().slot;
      due_.pop();
      Act(slot);
    }
    if (commands_.empty()) {
      absl::SleepFor(absl::Milliseconds(1));
      return Watchdog(now);
    }
    ASSIGN_OR_RETURN(const std::vector<Reply> replies, connection.CallAll(commands_, absl::Now() + kAnswer));
    shard_.commands += static_cast<int64_t>(replies.size());
    for (size_t i = 0; i < replies.size(); ++i) {
      if (IsError(replies[i].get())) return ErrorReply(Text(replies[i].get()));
      if (actions_[i]) actions_[i](*replies[i]);
    }
    return Watchdog(now);
  }

  absl::Status Watchdog(absl::Time now) {
    if (shard_.ended != seen_) {
      seen_ = shard_.ended;
      progress_ = now;
    }
    if (now - progress_ < kStuck) return absl::OkStatus();
    return Internal("{} of {} tasks have ended, and nothing more happens", seen_, shard_.tasks);
  }

  void Add(std::function<void(const redisReply&)> action, std::string_view script, std::vector<std::string> arguments) {
    commands_.push_back(ScriptCommand(*shard_.server, script, std::move(arguments)));
    actions_.push_back(std::move(action));
  }

  void Submit() {
    const int64_t live = options_.live / options_.shards;
    for (int i = 0; i < 20 && shard_.submitted < shard_.tasks && shard_.submitted - shard_.ended < live; ++i) {
      QueuedRequest request;
      request.id = shard_.server->shard() + "-" + Token();
      request.tenant = fmt::format("tenant{}", random_.Next() % static_cast<uint64_t>(options_.tenants));
      request.request_digest = request.spec = std::string(64, 'a') + "/1000";
      request.idempotency_key = Token();
      const int64_t count = std::min<int64_t>(options_.request, shard_.tasks - shard_.submitted);
      for (int64_t index = 0; index < count; ++index) {
        const int64_t preparation = index - index % (kCellsPerPreparation + 1);
        request.tasks.push_back({.index = static_cast<uint32_t>(index),
                                 .blocked_by = static_cast<int32_t>(preparation == index ? -1 : preparation)});
      }
      {
        std::lock_guard lock(shard_.mutex);
        shard_.open.emplace(request.id, std::vector<bool>(request.tasks.size()));
      }
      shard_.submitted += count;
      for (std::vector<std::string>& arguments : SubmitCalls(request, shard_.server->options()))
        Add({}, "submit", std::move(arguments));
    }
  }

  void Heartbeats(absl::Time now) {
    const absl::Duration every = absl::Seconds(options_.lease_s / 5);
    for (; heartbeat_ < workers_ && now >= begun_ + every * heartbeat_ / workers_; ++heartbeat_) {
      const int worker = first_worker_ + heartbeat_;
      std::vector<std::string> arguments = {Worker(worker),
                                            WorkerRecord({.host = "host",
                                                          .version = "1+build",
                                                          .slots = options_.slots,
                                                          .busy = options_.slots,
                                                          .classes = {"any"}}),
                                            Lease()};
      for (int slot = 0; slot < options_.slots; ++slot) {
        const SimulatedSlot& held = slots_[static_cast<size_t>(heartbeat_ * options_.slots + slot)];
        if (!held.request.empty() && !held.dead) arguments.push_back(held.token);
      }
      Add({}, "heartbeat", std::move(arguments));
    }
    if (heartbeat_ < workers_ || now < begun_ + every) return;
    heartbeat_ = 0;
    begun_ = now;
  }

  void Act(size_t number) {
    SimulatedSlot& slot = slots_[number];
    if (slot.dead) {  // another worker has come in its place
      slot.dead = false;
      slot.request.clear();
      slot.token = Token();
    }
    const std::string next = Token();
    const std::vector<std::string> lease = {Worker(slot.worker), next, Lease(), "any"};
    if (slot.request.empty())
      return Add([this, number, next](const redisReply& reply) { OnLease(number, next, &reply); }, "lease", lease);
    std::vector<std::string> both = {slot.request, std::to_string(slot.index),     slot.token,
                                     "P",          std::string(64, 'b') + "/1000", ""};
    both.insert(both.end(), lease.begin(), lease.end());
    Add(
        [this, number, next](const redisReply& reply) {
          const auto answers = Elements(&reply);
          if (answers.size() != 2) return shard_.Fail(Internal("commit_and_lease: {} elements", answers.size()));
          const SimulatedSlot& slot = slots_[number];
          const std::string_view outcome = Text(answers[0]);
          if (outcome == "COMMITTED") shard_.Committed(slot.request, slot.index);
          if (outcome == "FENCED") ++shard_.fenced;
          OnLease(number, next, answers[1]);
        },
        "commit_and_lease", std::move(both));
  }

  void OnLease(size_t number, const std::string& token, const redisReply* reply) {
    SimulatedSlot& slot = slots_[number];
    slot.token = token;
    slot.request.clear();
    const absl::Time now = absl::Now();
    const auto elements = Elements(reply);
    if (elements.size() < 2) {
      due_.push({now + kIdle, number});
      return;
    }
    ++shard_.leases;
    slot.request = Text(elements[0]);
    slot.index = static_cast<uint32_t>(std::stoul(std::string(Text(elements[1]))));
    slot.dead = random_.Uniform() < options_.lose;
    shard_.lost += slot.dead;
    const double ms = slot.dead               ? 1000 * options_.lease_s
                      : options_.task_ms == 0 ? 0
                                              : -options_.task_ms * std::log(1 - random_.Uniform());
    due_.push({now + absl::Milliseconds(ms), number});
  }

  Shard& shard_;
  const SimulateOptions& options_;
  const bool submits_;
  Random random_;
  int first_worker_ = 0, workers_ = 0, heartbeat_ = 0;
  std::vector<SimulatedSlot> slots_;
  std::priority_queue<Due> due_;
  absl::Time begun_ = absl::Now(), maintain_ = absl::InfinitePast(), progress_ = absl::Now();
  int64_t seen_ = 0;
  Commands commands_;
  std::vector<std::function<void(const redisReply&)>> actions_;  // what to do with each reply
};

absl::StatusOr<double> RedisSeconds(Connection& connection) {
  ASSIGN_OR_RETURN(const Reply info, connection.Call(std::vector<std::string>{"INFO", "cpu"}, absl::Now() + kAnswer));
  return std::strtod(InfoField(Text(info.get()), "used_cpu_sys").c_str(), nullptr) +
         std::strtod(InfoField(Text(info.get()), "used_cpu_user").c_str(), nullptr);
}

}  // namespace

absl::StatusOr<nlohmann::json> Simulate(const SimulateOptions& options) {
  std::deque<Shard> shards;
  std::vector<std::unique_ptr<Connection>> watchers;
  std::vector<double> cpu;
  for (int i = 0; i < options.shards; ++i) {
    Shard& shard = shards.emplace_back();
    ASSIGN_OR_RETURN(shard.server, Server::Start(i));
    shard.tasks = options.tasks / options.shards;
    ASSIGN_OR_RETURN(watchers.emplace_back(), shard.server->Connect());
    ASSIGN_OR_RETURN(cpu.emplace_back(), RedisSeconds(*watchers.back()));
  }
  const absl::Time start = absl::Now();
  std::vector<absl::Time> ends(shards.size(), start);
  std::vector<double> most_bytes(shards.size()), most_live(shards.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < shards.size(); ++i) {
      const int workers = std::max(options.threads, options.workers / options.shards);
      for (int thread = 0; thread < options.threads; ++thread) {
        const int first = workers * thread / options.threads, last = workers * (thread + 1) / options.threads;
        threads.emplace_back([&, i, first, last, thread] {
          Player(shards[i], options, first, last - first, thread == 0, i * 100 + static_cast<uint64_t>(thread)).Run();
        });
      }
    }
    // The main thread looks on: how much Redis holds, and when each shard has ended.
    for (bool going = true; going;) {
      going = false;
      for (size_t i = 0; i < shards.size(); ++i) {
        const double live = static_cast<double>(shards[i].submitted - shards[i].ended);
        if (const auto bytes = RedisProcess::BytesUsed(*watchers[i]); bytes.ok() && live > most_live[i]) {
          most_live[i] = live;
          most_bytes[i] = *bytes;
        }
        if (shards[i].Done()) continue;
        going = true;
        ends[i] = absl::Now();
      }
      absl::SleepFor(absl::Milliseconds(20));
    }
  }
  nlohmann::json figures;
  double rate = 0, leases = 0, lost = 0, fenced = 0;
  int64_t tasks = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    Shard& shard = shards[i];
    RETURN_IF_ERROR(shard.failure);
    ASSIGN_OR_RETURN(const double used, RedisSeconds(*watchers[i]));
    const double wall = Seconds(ends[i] - start), count = static_cast<double>(shard.tasks);
    figures[fmt::format("shard {}", i)] = {{"tasks_per_s", count / wall},
                                           {"redis_cpu_ms_per_task", (used - cpu[i]) * 1000 / count},
                                           {"redis_busy", (used - cpu[i]) / wall},
                                           {"live", most_live[i]},
                                           {"bytes_per_live_task", most_bytes[i] / std::max(1.0, most_live[i])}};
    rate += count / wall;
    tasks += shard.tasks;
    leases += static_cast<double>(shard.leases);
    lost += static_cast<double>(shard.lost);
    fenced += static_cast<double>(shard.fenced);
  }
  figures["all"] = {{"tasks_per_s", rate},      {"wall_s", Seconds(absl::Now() - start)},
                    {"tasks", tasks},           {"leases", leases},
                    {"leases_lost", lost},      {"commits_fenced", fenced},
                    {"shards", options.shards}, {"workers", options.workers}};
  return figures;
}

}  // namespace slipway
