#include "worker/daemon/task_runner.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/told.h"
#include "common/store/claim.h"
#include "common/store/down.h"
#include "common/task/task_class.h"
#include "worker/daemon/fault.h"
#include "worker/pipeline/entry.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::pair<std::string_view, TaskState> kStates[] = {{"passed", TaskState::kPassed},
                                                              {"unverified", TaskState::kUnverified},
                                                              {"parity_failed", TaskState::kParityFailed},
                                                              {"failed", TaskState::kFailed}};

absl::StatusOr<TaskState> StateOf(const std::string& name) {
  for (const auto& [state_name, state] : kStates) {
    if (state_name == name) return state;
  }
  return DataLoss("the converter process ended in no known state");
}

// Whatever is wrong with what lies in the store is no fault of the model.
absl::Status StoreTrouble(const absl::Status& status, std::string_view what) {
  return WithKind(Annotate(status, what), ErrorKind::kMachine);
}

// A plain file below `folder`, by no detour: the process that wrote it is not trusted.
absl::StatusOr<fs::path> OutputFile(const fs::path& folder, const std::string& name) {
  if (!IsContainedPath(name)) return DataLoss("the converter process named a file outside its folder");
  fs::path path = folder;
  struct stat info {};
  for (const fs::path& part : fs::path(name)) {
    path /= part;
    if (lstat(path.c_str(), &info) != 0) return ErrnoStatus(errno, fmt::format("find the output {}", name));
    if (S_ISLNK(info.st_mode)) return DataLoss("the converter process made a link");
  }
  if (!S_ISREG(info.st_mode)) return DataLoss("the output {} is no plain file", name);
  return path;
}

// Repeats `call`, which names the task's token, until Redis answers and is not full: whoever lives then still has the lease. Gives up when the task is another's,
// or the worker has to end.
template <typename Call>
absl::StatusOr<CommitOutcome> WhileRedisIsAway(const Executor& executor, const Call& call) {
  for (absl::Duration pause = absl::Milliseconds(20);; pause = std::min(pause * 2, absl::Seconds(1))) {
    absl::StatusOr<CommitOutcome> outcome = call();
    const bool away = absl::IsUnavailable(outcome.status()) || absl::IsResourceExhausted(outcome.status());
    if (!away || executor.abandoned() != Abandon::kNo) return outcome;
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(pause));
  }
}

std::string Dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

TaskRunner::Ended TaskRunner::Run(const LeasedTask& task, Executor& executor,
                                  const std::function<std::optional<LeaseRequest>()>& next) {
  const LogScope scope({{"request", task.request}, {"task", std::to_string(task.index)}});
  LogDebug("leased", {{"attempt", std::to_string(task.attempt)}});
  TaskMeter meter;
  const Settlement settlement = Decide(task, executor, meter);
  Ended ended{settlement.machine, settlement.reason, std::nullopt};
  switch (settlement.what) {
    case Settlement::What::kCommit:
      ended.leased = Commit(task, settlement, executor, meter, next ? next() : std::nullopt);
      break;
    case Settlement::What::kReturn:
      Return(task, settlement.how, settlement.reason, executor);
      break;
    case Settlement::What::kNothing:
      meter.GaveUp();
      LogInfo("gave up a task that is no longer ours");
      break;
  }
  return ended;
}

TaskRunner::Settlement TaskRunner::Decide(const LeasedTask& task, Executor& executor, TaskMeter& meter) {
  meter.Enter("fetch");
  const auto given_back = [&](Failure failure, const TaskReturn& how) {
    meter.Returned(failure);
    const bool broken =
        failure == Failure::kMachine || failure == Failure::kOutOfMemory || failure == Failure::kStoreDown;
    return Settlement{.what = Settlement::What::kReturn,
                      .state = TaskState::kReady,
                      .reason = how.reason,
                      .how = how,
                      .machine = broken ? Health::kBroken : Health::kUnsaid};
  };
  const auto returned = [&](const std::string& reason, Failure failure = Failure::kMachine) {
    return given_back(failure, RetryOf(failure, task, reason).value_or(TaskReturn{.reason = reason}));
  };
  const auto returned_for = [&](const absl::Status& status, Failure failure) {
    Settlement settlement = returned(Words(status), failure);
    settlement.reason = Message(status);
    return settlement;
  };
  const auto unread = [&](absl::Status status) {
    const Failure failure = FailureToRead(status);
    return returned_for(status, failure);
  };
  auto spec = specs_.Get(store_, task.tenant, task.spec);
  if (absl::IsFailedPrecondition(spec.status()) && !IsStoreDown(spec.status()))
    return returned(Message(Annotate(spec.status(), "the request's spec")), Failure::kVersion);
  if (!spec.ok()) return unread(Annotate(spec.status(), "the request's spec"));
  absl::StatusOr<TaskMessage> message = Describe(task, **spec);
  if (!message.ok()) {
    if (absl::IsFailedPrecondition(message.status()) && !IsStoreDown(message.status()))
      return returned(Message(message.status()), Failure::kVersion);
    if (KindOf(message.status()) == ErrorKind::kMachine) return unread(message.status());
    return Failed(task, nullptr, Message(message.status()));
  }
  meter.SetTask(message->task);
  const bool cached = options_.cache && !message->noop;
  const ActionKeys keys = cached ? KeysOf(*message, options_.runtimes) : ActionKeys();
  const auto abandoned = [&] { return executor.abandoned() != Abandon::kNo; };
  const bool reused = cached && !(*spec)->fresh;
  const std::optional<ActionCache::Turn> turn =
      reused ? actions_.Await(task.tenant, keys.result, abandoned) : std::nullopt;
  if (reused) {
    const absl::Time now = SteadyNow();
    if (const auto kept = actions_.Find(task.tenant, keys.result)) {
      if (auto settlement = Kept(task, *message, *kept, now); settlement.ok()) return *std::move(settlement);
    }
    const auto made = keys.artifact ? actions_.Find(task.tenant, *keys.artifact) : std::nullopt;
    if (made && made->result.emitted) {
      message->made = MadeArtifact{made->result.files, *made->result.emitted};
      message->blobs.push_back(*made->result.emitted);
      for (const ResultFile& file : made->result.files) message->blobs.push_back(file.digest);
    }
  }
  std::sort(message->blobs.begin(), message->blobs.end());
  message->blobs.erase(std::unique(message->blobs.begin(), message->blobs.end()), message->blobs.end());
  auto blobs = OpenBlobs(task, message->blobs);
  if (!blobs.ok()) return unread(blobs.status());
  std::vector<int> descriptors;
  for (const Input& blob : *blobs) descriptors.push_back(blob.file.get());
  const auto progress = [&](const std::string& step) {
    meter.Enter(step);
    queue_.Progress(task, step).IgnoreError();
  };
  meter.Enter("child");  // until it says what it does

  auto execution = executor.Execute(*message, descriptors, task.tenant, progress);
  Failpoint("worker.executed");
  // Of other bytes than were asked for nothing is known: neither what was made counts, nor what is wrong with them.
  if (executor.abandoned() == Abandon::kNo && !message->noop) {
    std::error_code ignored;
    const bool answered =
        execution.ok() && execution->end == Execution::End::kResult;  // else the folder went with its child
    if (answered && !fs::exists(executor.scratch(), ignored))
      return returned("somebody removed the task's scratch folder");
    if (const absl::Status same = CheckUnchanged(*blobs); !same.ok()) return unread(same);
  }
  if (execution.ok() && execution->end == Execution::End::kResult && executor.abandoned() != Abandon::kLost) {
    const absl::StatusOr<TaskOutput>& output = execution->output;
    if (!output.ok()) {
      if (IsOverTaskMemory(output.status()) && MoreMemoryIsOffered(task))
        return returned(Message(output.status()), Failure::kMemoryLimit);
      if (KindOf(output.status()) == ErrorKind::kMachine) {
        // The child knows only that its judge no longer answers.
        const bool died = absl::IsUnavailable(output.status()) && !execution->judge_deaths.empty();
        return returned(died ? execution->judge_deaths : Message(output.status()),
                        FailureOf(output.status(), execution->judged));
      }
      return Failed(task, &*message, Message(output.status()));
    }
    // A judge that had too little: what was made stands, but in a larger class it may be proved.
    const bool unproved = output->reason.find(kOverTaskMemory) != std::string::npos ||
                          (output->files.empty() && output->entry.find(kOverTaskMemory) != std::string::npos);
    if (unproved && MoreMemoryIsOffered(task))
      return returned(fmt::format("a judge needs more memory than it gets {}", kOverTaskMemory), Failure::kMemoryLimit);
    const auto state = StateOf(output->state);
    if (!state.ok()) return Failed(task, &*message, Message(state.status()));
    if (message->noop)
      return {.what = Settlement::What::kCommit, .state = *state, .reason = output->reason, .machine = Health::kWell};
    meter.Enter("store");
    auto result = StoreResult(task, *message, *output, executor.scratch());
    if (result.ok()) {
      if (cached && IsLasting(*message, *output)) actions_.Keep(task.tenant, keys.result, result->digest);
      if (keys.artifact && !output->emitted.empty()) actions_.Keep(task.tenant, *keys.artifact, result->digest);
      return {.what = Settlement::What::kCommit,
              .state = *state,
              .result = result->digest.ToString(),
              .reason = output->reason,
              .pins = std::move(result->pins),
              .commit_by = result->commit_by,
              .machine = Health::kWell};
    }
    if (KindOf(result.status()) == ErrorKind::kMachine)
      return returned_for(result.status(), IsStoreDown(result.status()) ? Failure::kStoreDown : Failure::kMachine);
    return Failed(task, &*message, Message(result.status()));
  }
  if (executor.abandoned() == Abandon::kLost) return {};
  if (executor.abandoned() == Abandon::kDraining) return returned("the worker was told to end", Failure::kDrained);
  if (!execution.ok()) return returned(Message(execution.status()));
  meter.ChildEnded(*execution);
  const Fault fault = FaultOf(*execution, options_.task_timeout);
  LogWarning("a task's process ended", {{"reason", fault.reason}});
  const bool hopeless = fault.failure == Failure::kMemoryLimit && !MoreMemoryIsOffered(task);
  if (const auto how = hopeless ? std::nullopt : RetryOf(fault.failure, task, fault.reason))
    return given_back(fault.failure, *how);
  return Failed(task, &*message, fault.reason);
}

Failure TaskRunner::FailureToRead(absl::Status& status) {
  if (absl::IsNotFound(status) || absl::IsDataLoss(status)) {
    // Where a mount is missing, everything is; the store of a farm says whose it is.
    const absl::StatusOr<std::string> farm = store_.Farm();
    if (farm.ok() && !farm->empty()) return Failure::kUnclear;
    const absl::StatusOr<NotedStore> noted = farm.ok() ? queue_.Noted() : farm.status();
    const absl::Status claim =
        noted.ok() ? CheckClaim(store_, noted->farm, noted->file_system, "that --store names") : noted.status();
    if (IsStoreDown(claim)) status = claim;
  }
  return IsStoreDown(status) ? Failure::kStoreDown : Failure::kMachine;
}

std::string TaskRunner::Words(const absl::Status& status) const {
  return options_.sole ? Message(status) : Told(status);
}

absl::StatusOr<TaskMessage> TaskRunner::Describe(const LeasedTask& task, const RequestSpec& spec) {
  if (task.index >= spec.tasks.size()) return InvalidArgument("the request's spec has no task {}", task.index);
  TaskMessage message;
  message.task = spec.tasks[task.index];
  if (message.task.model >= spec.models.size())
    return InvalidArgument("the request's spec has no model {}", message.task.model);
  message.model = spec.models[message.task.model];
  message.options = spec.options;
  message.judge_timeout = options_.judge_timeout;
  message.noop = message.model.kind == "noop";
  if (message.noop) return message;
  for (const SpecFile& file : message.model.files) message.blobs.push_back(file.digest);
  if (message.task.kind == SpecTask::Kind::kCell && !task.prepare_result.empty()) {
    auto prepared = prepared_.Get(store_, task.tenant, task.prepare_result);
    if (!prepared.ok()) return StoreTrouble(prepared.status(), "what the prepare task left");
    message.prepare_entry = (*prepared)->entry;
    message.reference = (*prepared)->reference;
    if (message.reference) message.blobs.push_back(*message.reference);
  }
  return message;
}

absl::StatusOr<std::vector<TaskRunner::Input>> TaskRunner::OpenBlobs(const LeasedTask& task,
                                                                     const std::vector<Digest>& digests) {
  std::vector<Input> blobs;
  for (const Digest& digest : digests) {
    auto blob = store_.OpenLocal(task.tenant, digest);
    if (!blob.ok()) return StoreTrouble(blob.status(), "an input");
    ASSIGN_OR_RETURN(const FileIdentity identity, FileIdentity::Of(blob->get()));
    blobs.push_back({digest, *std::move(blob), identity});
  }
  return blobs;
}

absl::Status TaskRunner::CheckUnchanged(const std::vector<Input>& blobs) {
  for (const Input& blob : blobs) {
    ASSIGN_OR_RETURN(const FileIdentity identity, FileIdentity::Of(blob.file.get()));
    if (identity != blob.identity)
      return DataLoss("input {}: its stored bytes changed while they were read", blob.digest.ToString());
  }
  return absl::OkStatus();
}

absl::StatusOr<TaskRunner::StoredResult> TaskRunner::StoreAndPin(const std::string& tenant, const TaskResult& result,
                                                                 absl::Time begun) {
  ASSIGN_OR_RETURN(const Digest digest, WriteBlob(store_, tenant, result.ToJson()));
  std::vector<Digest> made = {digest};
  for (const ResultFile& file : result.files) made.push_back(file.digest);
  for (const auto& other : {result.parity, result.reference, result.emitted}) {
    if (other) made.push_back(*other);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<BlobPins> pins, store_.Pin());
  RETURN_IF_ERROR(pins->Add(tenant, made));
  const absl::Time commit_by = begun + pins->lasts();
  return StoredResult{digest, std::move(pins), commit_by};
}

absl::StatusOr<TaskRunner::StoredResult> TaskRunner::StoreResult(const LeasedTask& task, const TaskMessage& message,
                                                                 const TaskOutput& output, const fs::path& scratch) {
  json entry = json::parse(output.entry, nullptr, /*allow_exceptions=*/false);
  if (!entry.is_object()) return DataLoss("the converter process sent no manifest entry");
  const absl::Time begun = SteadyNow();
  const auto store = [&](const fs::path& folder, const std::string& name) -> absl::StatusOr<Digest> {
    ASSIGN_OR_RETURN(const fs::path file, OutputFile(folder, name));
    auto digest = store_.PutFile(task.tenant, file);
    if (!digest.ok()) return StoreTrouble(digest.status(), fmt::format("store {}", name));
    return *digest;
  };
  TaskResult result;
  json files = json::array();
  for (const std::string& name : output.files) {
    ASSIGN_OR_RETURN(const Digest digest, store(scratch / "artifact", name));
    result.files.push_back({name, digest});
    files.push_back({{"path", name}, {"bytes", digest.bytes}, {"sha256", digest.Hex()}});
  }
  Failpoint("worker.artifact_stored");
  if (!output.parity.empty()) {
    ASSIGN_OR_RETURN(result.parity, store(scratch, output.parity));
  }
  if (!output.reference.empty()) {
    ASSIGN_OR_RETURN(result.reference, store(scratch, output.reference));
  }
  if (!output.emitted.empty()) {
    ASSIGN_OR_RETURN(result.emitted, store(scratch, output.emitted));
  }
  if (message.task.kind == SpecTask::Kind::kCell) {
    entry["files"] = std::move(files);
    entry["status"] = output.state;
    entry["reason"] = output.reason.empty() ? json() : json(output.reason);
    entry["attempts"] = task.attempt;
    entry["worker"] = options_.worker;
    entry["jail"] = Name(options_.jail);
    entry["cache_hit"] = message.made.has_value();
  }
  result.entry = Dump(entry);
  result.reason = output.reason;
  auto stored = StoreAndPin(task.tenant, result, begun);
  if (!stored.ok()) return StoreTrouble(stored.status(), "store the result");
  Failpoint("worker.result_stored");
  return stored;
}

absl::StatusOr<TaskRunner::Settlement> TaskRunner::Kept(const LeasedTask& task, const TaskMessage& message,
                                                        const KeptResult& kept, absl::Time found) {
  Settlement settlement{Settlement::What::kCommit, TaskState::kPassed, kept.digest.ToString(), ""};
  if (message.task.kind == SpecTask::Kind::kPrepare) return settlement;
  json entry = json::parse(kept.result.entry, nullptr, /*allow_exceptions=*/false);
  if (!entry.is_object() || !entry.contains("status") || !entry["status"].is_string())
    return DataLoss("the kept result has no status");
  ASSIGN_OR_RETURN(settlement.state, StateOf(entry["status"].get<std::string>()));
  if (entry.contains("reason") && entry["reason"].is_string()) settlement.reason = entry["reason"].get<std::string>();
  entry["cache_hit"] = true;
  entry["attempts"] = task.attempt;
  entry["worker"] = options_.worker;
  entry["jail"] = Name(options_.jail);
  entry["timings_ms"] = json::object();
  TaskResult result = kept.result;
  result.entry = Dump(entry);
  ASSIGN_OR_RETURN(StoredResult stored, StoreAndPin(task.tenant, result, found));
  settlement.result = stored.digest.ToString();
  settlement.pins = std::move(stored.pins);
  settlement.commit_by = stored.commit_by;
  return settlement;
}

TaskRunner::Settlement TaskRunner::Failed(const LeasedTask& task, const TaskMessage* message,
                                          const std::string& reason) {
  Settlement settlement{Settlement::What::kCommit, TaskState::kFailed, "", reason};
  if (message == nullptr || message->noop) return settlement;
  TaskOutput output{.state = "failed", .reason = reason, .entry = FailedEntry(message->model, message->task, reason)};
  // Without its blob the reason still reaches the user by the queue.
  if (auto result = StoreResult(task, *message, output, {}); result.ok()) {
    settlement.result = result->digest.ToString();
    settlement.pins = std::move(result->pins);
    settlement.commit_by = result->commit_by;
    settlement.machine = Health::kWell;
  }
  return settlement;
}

std::optional<TaskRunner::Leased> TaskRunner::Commit(const LeasedTask& task, const Settlement& settlement,
                                                     Executor& executor, TaskMeter& meter,
                                                     const std::optional<LeaseRequest>& next) {
  meter.Enter("commit");
  const TaskCommit commit{task.request, task.index, task.token, settlement.state, settlement.result, settlement.reason};
  std::optional<Leased> leased;
  bool first = true, late = false;
  // The same token may commit again after a lost reply.
  const auto outcome = WhileRedisIsAway(executor, [&]() -> absl::StatusOr<CommitOutcome> {
    late = SteadyNow() >= settlement.commit_by;
    if (late) return DeadlineExceeded("not committed while it was sure to be kept from the garbage (--garbage-after)");
    if (!std::exchange(first, false) || !next) return queue_.Commit(commit);
    CommittedAndLeased both = queue_.CommitAndLease(commit, *next);
    leased = std::move(both.leased);
    return std::move(both.committed);
  });
  if (outcome.ok()) Failpoint("worker.committed");
  meter.Committed(settlement.state, outcome);
  if (!outcome.ok()) {
    LogError("cannot commit", {{"reason", Message(outcome.status())}});
    if (late) {
      meter.Returned(Failure::kUnclear);
      const std::string reason = "the result: " + Message(outcome.status());
      Return(task, *RetryOf(Failure::kUnclear, task, reason), reason, executor);
    }
    return leased;
  }
  const bool ours = *outcome == CommitOutcome::kCommitted || *outcome == CommitOutcome::kAlready;
  LogDebug(ours ? "committed" : "the task had become another's",
           {{"state", std::string(Name(settlement.state))}, {"reason", settlement.reason}});
  return leased;
}

std::optional<TaskReturn> TaskRunner::RetryOf(Failure failure, const LeasedTask& task, const std::string& reason) {
  if (options_.sole && failure == Failure::kStoreDown) failure = Failure::kMachine;
  std::lock_guard lock(jitter_mutex_);
  return slipway::RetryOf(failure, task, reason, options_.retry_delay, jitter_);
}

bool TaskRunner::MoreMemoryIsOffered(const LeasedTask& task) {
  const auto workers = queue_.ListWorkers();
  if (!workers.ok()) return false;
  absl::Time latest = absl::InfinitePast();  // by Redis' clock, as all of them
  for (const WorkerView& worker : *workers) latest = std::max(latest, worker.last_seen);
  return std::ranges::any_of(*workers, [&](const WorkerView& worker) {
    return latest - worker.last_seen < options_.lease &&
           std::ranges::any_of(worker.classes,
                               [&](const std::string& offered) { return HasMoreMemory(offered, task.task_class); });
  });
}

void TaskRunner::Return(const LeasedTask& task, const TaskReturn& how, const std::string& reason,
                        const Executor& executor) {
  Failpoint("worker.returning");
  const auto outcome = WhileRedisIsAway(executor, [&] { return queue_.Return(task, how); });
  LogWarning("returned a task",
             {{"reason", reason}, {"outcome", outcome.ok() ? "returned" : Message(outcome.status())}});
}

}  // namespace slipway
