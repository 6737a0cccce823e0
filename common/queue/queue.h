// The task queue in Redis: requests, tasks, leases. docs/queue.md has keys, scripts and states.
//
// Ownership of a task is its token, compared for equality, nothing else. A worker makes the token up *before* it asks, so every call here may be
// repeated after a lost reply and has its effect once. Times are the Redis server's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway {

// A request's spec is carried here itself if it is as small as this, else by the digest of its blob. A small request so costs the store nothing.
inline constexpr size_t kMaxCarriedSpecBytes = 1024;
inline bool IsCarriedSpec(std::string_view spec) { return spec.starts_with('{'); }

// What a task is about to the queue. `cost` is its share of a flow's virtual time (1 = one ordinary task).
struct QueuedTask {
  uint32_t index = 0;              // in its request: the key of everything about it
  std::string task_class = "any";  // needed capabilities × memory bucket
  double cost = 1;
  int32_t blocked_by = -1;  // index of the prepare task whose commit opens it; -1: ready at once
};

struct QueuedRequest {
  std::string id;  // chosen by the caller: "<shard>-<random hex>"
  std::string tenant = "default";
  std::string idempotency_key;  // same tenant and key: the earlier request is returned instead
  std::string request_digest;   // of what was asked; another digest under the same key is ALREADY_EXISTS
  // Whether it may stand for equal requests, that is, those of the same tenant and digest. kJoin: one that is open is
  // returned instead, and has a waiter more; kFresh: it is made anew, and later ones may join it.
  enum class Sharing : uint8_t { kAlone, kJoin, kFresh } sharing = Sharing::kAlone;
  std::string made;    // kJoin: an ended equal request (FindEqual's) that is returned as well
  std::string spec;    // its JSON (IsCarriedSpec), or Digest::ToString() of its blob
  int priority = 0;    // higher first among its tenant's
  uint64_t bytes = 0;  // of its inputs, for the tenant's quota
  absl::Duration timeout = absl::ZeroDuration();  // after the submit: what has not ended by then is cancelled; 0: none
  std::vector<QueuedTask> tasks;
};

enum class TaskState : uint8_t {
  kBlocked,
  kReady,
  kDelayed,
  kRunning,
  kPassed,
  kUnverified,
  kParityFailed,
  kFailed,
  kCancelled,
  kSkipped
};
std::string_view Name(TaskState state);
bool IsTerminal(TaskState state);

enum class RequestState : uint8_t { kPlanning, kActive, kDone, kCancelled };
std::string_view Name(RequestState state);

struct LeaseRequest {
  std::string worker;                // worker id
  std::string token;                 // RandomHex(16), new for every lease that is not a repetition
  std::vector<std::string> classes;  // that this worker can run; those that have tasks take turns
};

struct LeasedTask {
  std::string request;
  uint32_t index = 0;
  std::string tenant;
  std::string spec;  // as submitted
  std::string token;
  int attempt = 1;  // 1 for the first
  int kills = 0;    // processes that it has killed before
  std::string task_class = {};
  std::string
      prepare_result;  // of the prepare task that opened it: digest of its result blob; empty for prepare itself
};

// How a leased task goes back.
struct TaskReturn {
  absl::Duration delay = absl::ZeroDuration();  // jitter included: every caller has its own
  bool count_attempt = true;                    // it ends failed once max_attempts are used
  bool killed = false;                          // it killed its process: after 3 it is isolated, that is, ends failed
  absl::Duration elsewhere = absl::ZeroDuration();  // so long only other workers get it, unless none has been seen
  bool more_memory = false;  // from now on in the next larger memory class, where a worker has one: any → any+8g
  std::string reason;        // one short line
};

enum class CommitOutcome { kCommitted, kAlready, kFenced, kCancelled };

struct CommittedAndLeased {
  absl::StatusOr<CommitOutcome> committed;
  absl::StatusOr<std::optional<LeasedTask>> leased;
};

struct TaskCommit {
  std::string request;
  uint32_t index = 0;
  std::string token;
  TaskState state = TaskState::kPassed;  // terminal
  std::string result;                    // digest of the result blob; may be empty
  std::string reason;                    // one short line unless passed
};

// A cell as watchers see it. `version` grows with every change within its request.
struct TaskView {
  uint32_t index = 0;
  TaskState state = TaskState::kBlocked;
  uint64_t version = 0;
  int attempts = 0;
  std::string worker;  // of the last lease
  std::string task_class;
  std::string result;
  std::string reason;
  std::string progress;                      // "converting", "judging": coalesced, lost when it ends
  std::vector<std::string> attempt_reasons;  // why attempts ended that did not pass: the last 8, each at most 160 bytes
};

struct RequestView {
  std::string id, tenant, spec;
  RequestState state = RequestState::kPlanning;
  int priority = 0;
  absl::Time created;
  uint64_t version = 0;  // the highest of its tasks'
  uint32_t tasks = 0;
  uint32_t open = 0;     // not terminal
  uint32_t waiters = 0;  // who submitted it and have not left; of one that is shared
  std::map<TaskState, uint32_t> counts;
};

struct WorkerView {
  std::string id, host, version;
  int slots = 0, busy = 0;
  std::vector<std::string> classes;
  uint64_t memory_bytes = 0;       // of all its processes; 0: not known
  uint64_t task_memory_bytes = 0;  // that a process of a task may take; 0: not known
  absl::Time last_seen;
  absl::Duration silent;  // since then, by the queue's clock
};

// What waits and what runs, of all tenants.
struct QueueDepth {
  struct Class {
    uint64_t ready = 0;                            // at least: of the first 10,000 requests that have ready tasks
    absl::Duration oldest = absl::ZeroDuration();  // age of the oldest request that has a ready task
  };
  uint64_t open = 0;  // tasks that have not ended: blocked ones too
  uint64_t running = 0, delayed = 0;
  std::map<std::string, Class> classes;  // all that ever had a task

  uint64_t ready() const {
    uint64_t sum = 0;
    for (const auto& [name, depth] : classes) sum += depth.ready;
    return sum;
  }
};

// A tenant's share and quotas; 0: no quota.
struct TenantLimits {
  double weight = 1;                 // of the farm's work, against the other tenants'; 0.01 to 100
  uint64_t open_tasks = 0;           // not yet ended
  uint64_t requests_per_minute = 0;  // so many at once, then evenly
  uint64_t bytes = 0;                // of the inputs of its open requests
};

// Encryption of the connections to Redis and its sentinels. Files are PEM; they are read again when they have changed.
struct RedisTls {
  bool on = false;          // an address rediss://… means it as well
  std::string ca;           // file of the authorities that are trusted; empty: the system's
  std::string certificate;  // file that we show, with its chain; empty: none
  std::string key;          // file of its key
  std::string server_name;  // that the servers' certificates must bear; empty: the host of each address
};

struct QueueOptions {
  // "unix:/path/redis.sock", "host:port", "redis://host:port", "rediss://host:port" (encrypted), or, of a master that sentinels
  // watch, "sentinel:NAME@host:port,host:port…" (port 26379 if it is left out).
  std::string address;
  std::string user;      // of Redis' access control list; empty: the default one
  std::string password;  // empty: none
  std::string sentinel_user, sentinel_password;
  RedisTls tls;
  std::string shard = "0";
  absl::Duration lease = absl::Seconds(15);
  int max_attempts = 3;                            // leases lost or retried before the task ends failed
  absl::Duration retention = absl::Hours(7 * 24);  // how long an ended request can still be asked for
  absl::Duration planning = absl::Minutes(1);      // a large submit that rests longer half-written is dropped
  TenantLimits limits;                             // of tenants that are not in `tenants`
  std::map<std::string, TenantLimits> tenants;
  size_t connections = 16;  // most in the pool; waiting for work has a pool of its own
};

// Which requests change. Thread-safe; one connection and one thread, however many are followed.
class Changes {
 public:
  // Called from that thread with a followed request that may have changed: after each published change (several are told as one), when the
  // connection is lost and when it is made again, and every few seconds in case a change went astray.
  using OnChange = std::function<void(const std::string& request)>;
  virtual ~Changes() = default;
  // Changes after an OK return are told. Blocks on Redis. Each Follow that returned OK needs one Unfollow. UNAVAILABLE: Redis cannot be reached.
  virtual absl::Status Follow(const std::string& request) = 0;
  virtual void Unfollow(const std::string& request) = 0;
};

// That the farm has a store.
struct NotedStore {
  std::string farm;  // its name; empty: none has been noted
  std::string file_system;
};

// Thread-safe: a bounded pool of connections that reconnect with backoff and jitter. UNAVAILABLE: Redis cannot be reached or is loading;
// RESOURCE_EXHAUSTED: it is full, or a quota is used up; FAILED_PRECONDITION: another schema, or an eviction policy other than noeviction.
class Queue {
 public:
  virtual ~Queue() = default;

  // --- requests (coordinators)
  // The id under which the request stands: its own, or the earlier one's with the same idempotency key, or that of an
  // equal one which it joins.
  virtual absl::StatusOr<std::string> Submit(const QueuedRequest& request) = 0;
  // The newest shared request of this tenant and digest, if there is one.
  virtual absl::StatusOr<std::optional<RequestView>> FindEqual(const std::string& tenant,
                                                               const std::string& request_digest) = 0;
  // For all who wait for it. NOT_FOUND; repeating is fine.
  virtual absl::Status Cancel(const std::string& request) = 0;
  // Who submitted it with this key waits no more: cancels it unless others wait for it, and says whether they do. It
  // then has their highest priority and latest deadline. NOT_FOUND; repeating is fine.
  virtual absl::StatusOr<bool> Leave(const std::string& request, const std::string& idempotency_key) = 0;
  // Opens failed and cancelled tasks again with fresh attempts, without a deadline; how many. UNAVAILABLE while it is being cancelled.
  virtual absl::StatusOr<uint32_t> Retry(const std::string& request) = 0;
  // Forgets an ended request at once (its blobs stay). FAILED_PRECONDITION while tasks are open; repeating is fine.
  virtual absl::Status Delete(const std::string& request) = 0;
  virtual absl::StatusOr<RequestView> GetRequest(const std::string& request) = 0;
  // Tasks changed after `since_version`, oldest change first, at most `limit`.
  virtual absl::StatusOr<std::vector<TaskView>> ListTasks(const std::string& request, uint64_t since_version,
                                                          uint32_t limit) = 0;
  // Newest first; `page_token` empty for the first page and, in the reply, after the last.
  virtual absl::StatusOr<std::pair<std::vector<RequestView>, std::string>> ListRequests(
      const std::string& tenant, uint32_t limit, const std::string& page_token) = 0;
  virtual std::unique_ptr<Changes> FollowChanges(Changes::OnChange on_change) = 0;
  virtual absl::StatusOr<std::vector<WorkerView>> ListWorkers() = 0;
  virtual absl::StatusOr<QueueDepth> Depth() = 0;
  // Returns expired leases (restart grace first), promotes delayed tasks, cancels requests past their deadline. Every coordinator calls it each 500 ms. Returns how many tasks moved.
  virtual absl::StatusOr<int> Maintain() = 0;

  // --- tasks (workers)
  virtual absl::StatusOr<std::optional<LeasedTask>> Lease(const LeaseRequest& request) = 0;
  // Lease, once there may be work for one of the classes, a second has passed, or Rouse was called for this worker: one
  // exchange. Holds a connection of its own meanwhile; few of a worker's threads should.
  virtual absl::StatusOr<std::optional<LeasedTask>> AwaitLease(const LeaseRequest& request) = 0;
  // Ends up to `waits` AwaitLease calls of this worker, those under way and those of the next seconds.
  virtual absl::Status Rouse(const std::string& worker, int waits) = 0;
  virtual absl::StatusOr<CommitOutcome> Commit(const TaskCommit& commit) = 0;
  // Commit, then Lease, in one exchange. What failed may be repeated by itself.
  virtual CommittedAndLeased CommitAndLease(const TaskCommit& commit, const LeaseRequest& next) = 0;
  // Gives a leased task back to the head of its flow.
  virtual absl::StatusOr<CommitOutcome> Return(const LeasedTask& task, const TaskReturn& how) = 0;
  virtual absl::Status Progress(const LeasedTask& task, const std::string& progress) = 0;
  // Extends the leases of `tokens` and says which are no longer this worker's (lost or cancelled): stop those.
  virtual absl::StatusOr<std::vector<std::string>> Heartbeat(const WorkerView& self,
                                                             const std::vector<std::string>& tokens) = 0;
  // Called from a thread of the queue's own when a cancellation is published; the heartbeat's reply is the safety net.
  virtual absl::Status OnCancelled(std::function<void(const std::string& request)> callback) = 0;
  virtual absl::Status RemoveWorker(const std::string& worker) = 0;

  virtual absl::Status Ping() = 0;
  // A name that these keys got when they were first asked for it: a queue that was lost comes back under another.
  virtual absl::StatusOr<std::string> FarmId() = 0;
  // That a store on `file_system` (Store::FileSystem) has been bound to that name; and what was noted last.
  virtual absl::Status NoteStore(std::string_view file_system) = 0;
  virtual absl::StatusOr<NotedStore> Noted() = 0;
};

absl::StatusOr<std::unique_ptr<Queue>> ConnectQueue(const QueueOptions& options);

}  // namespace slipway
