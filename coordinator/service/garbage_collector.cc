#include "coordinator/service/garbage_collector.h"

#include <map>

#include "absl/container/flat_hash_set.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/task/carried.h"
#include "common/task/task.h"

namespace slipway {
namespace {

constexpr uint32_t kPage = 500;

using Blobs = absl::flat_hash_set<Digest>;

// What the queue carries as `carried`, whose own references are to be read; its blob is one. What is gone or damaged names nothing any more.
template <typename T>
absl::StatusOr<std::optional<T>> Read(Store& store, const std::string& tenant, const std::string& carried,
                                      Blobs& blobs) {
  if (const absl::StatusOr<Digest> digest = Digest::Parse(carried); digest.ok()) {
    blobs.insert(*digest);
  } else if (!IsCarriedSpec(carried)) {
    return std::nullopt;
  }
  const absl::StatusOr<std::string> json = ReadCarried(store, tenant, carried);
  if (absl::IsNotFound(json.status()) || absl::IsDataLoss(json.status())) return std::nullopt;
  if (!json.ok()) return json.status();
  absl::StatusOr<T> value = T::FromJson(*json);
  if (!value.ok()) return std::nullopt;
  return std::optional<T>(*std::move(value));
}

absl::Status AddRequest(Queue& queue, Store& store, const RequestView& request, Blobs& blobs) {
  ASSIGN_OR_RETURN(const auto spec, Read<RequestSpec>(store, request.tenant, request.spec, blobs));
  if (spec) {
    for (const SpecModel& model : spec->models) {
      for (const SpecFile& file : model.files) blobs.insert(file.digest);
    }
  }
  for (uint64_t since = 0;;) {
    const absl::StatusOr<std::vector<TaskView>> tasks = queue.ListTasks(request.id, since, kPage);
    if (absl::IsNotFound(tasks.status())) return absl::OkStatus();  // its retention has ended just now
    RETURN_IF_ERROR(tasks.status());
    for (const TaskView& task : *tasks) {
      since = std::max(since, task.version);
      ASSIGN_OR_RETURN(const auto result, Read<TaskResult>(store, request.tenant, task.result, blobs));
      if (!result) continue;
      for (const ResultFile& file : result->files) blobs.insert(file.digest);
      for (const auto& more : {result->parity, result->reference, result->emitted}) {
        if (more) blobs.insert(*more);
      }
    }
    if (tasks->size() < kPage) return absl::OkStatus();
  }
}

// All that a tenant's requests name.
absl::StatusOr<Blobs> ReferencesOf(const std::string& tenant, Queue& queue, Store& store) {
  Blobs blobs;
  for (std::string page;;) {
    ASSIGN_OR_RETURN(const auto requests, queue.ListRequests(tenant, kPage, page));
    for (const RequestView& request : requests.first) RETURN_IF_ERROR(AddRequest(queue, store, request, blobs));
    page = requests.second;
    if (page.empty()) return blobs;
  }
}

}  // namespace

GarbageCollector::GarbageCollector(const GarbageCollectorOptions& options, Queue& queue, Store& store)
    : options_(options), queue_(queue), store_(store), thread_([this] { Run(); }) {}

GarbageCollector::~GarbageCollector() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

bool GarbageCollector::Stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

absl::Status GarbageCollector::Bind(const std::string& farm) {
  ASSIGN_OR_RETURN(const std::string bound, store_.Farm());
  if (bound != farm) {
    if (!bound.empty() && !options_.adopt) return absl::OkStatus();
    RETURN_IF_ERROR(store_.Bind(farm));
  }
  return queue_.NoteStore(store_.FileSystem());
}

absl::StatusOr<GarbageReport> GarbageCollector::Collect(absl::Time now) {
  ASSIGN_OR_RETURN(const std::string farm, queue_.FarmId());
  // Read when the first old blob of a tenant is met. What is referred to later was found in the store later, and is young.
  std::map<std::string, Blobs, std::less<>> references;
  const auto referenced = [&](std::string_view tenant, const Digest& digest) -> absl::StatusOr<bool> {
    auto found = references.find(tenant);
    if (found == references.end()) {
      const std::string name(tenant);
      ASSIGN_OR_RETURN(Blobs blobs, ReferencesOf(name, queue_, store_));
      found = references.emplace(name, std::move(blobs)).first;
    }
    return found->second.contains(digest);
  };
  return store_.CollectGarbage(
      {.farm = farm, .untouched = options_.untouched, .referenced = referenced, .now = now, .stop = [this] {
         return Stopping();
       }});
}

void GarbageCollector::Run() {
  bool bound = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    absl::Status status;
    if (!bound) {
      const absl::StatusOr<std::string> farm = queue_.FarmId();
      status = farm.ok() ? Bind(*farm) : farm.status();
      bound = status.ok();
    }
    if (bound) {
      const absl::StatusOr<GarbageReport> report = Collect(absl::Now());
      status = report.status();
      if (report.ok() && report->removed + report->actions + report->abandoned > 0) {
        LogInfo("garbage collected", {{"blobs", std::to_string(report->removed)},
                                      {"bytes", std::to_string(report->removed_bytes)},
                                      {"actions", std::to_string(report->actions)},
                                      {"unfinished", std::to_string(report->abandoned)},
                                      {"of", std::to_string(report->blobs)}});
      }
    }
    if (absl::IsFailedPrecondition(status)) {
      LogWarning("the store is another farm's",
                 {{"reason", Message(status)}, {"fix", "--adopt-store, if that farm is no more"}});
    } else if (!status.ok() && !absl::IsCancelled(status)) {
      LogWarning("garbage not collected", {{"reason", Message(status)}});
    }
    lock.lock();
    stop_.wait_for(lock, absl::ToChronoMilliseconds(options_.every), [this] { return stopping_; });
  }
}

}  // namespace slipway
