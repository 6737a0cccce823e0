#include "coordinator/service/equal_requests.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/base/error.h"

namespace slipway {
namespace {

bool AllMade(const RequestView& request, bool verify) {
  uint32_t made = 0;
  for (const auto& [state, count] : request.counts) {
    if (state == TaskState::kPassed || (state == TaskState::kUnverified && !verify)) made += count;
  }
  return made == request.tasks;
}

// The build of all workers; "" when there is none, or several. Versions are "0.1.0+<build>".
absl::StatusOr<std::string> BuildOfWorkers(Queue& queue) {
  ASSIGN_OR_RETURN(const std::vector<WorkerView> workers, queue.ListWorkers());
  std::set<std::string> builds;
  for (const WorkerView& worker : workers) {
    const size_t plus = worker.version.find('+');
    builds.insert(plus == std::string::npos ? "" : worker.version.substr(plus + 1));
  }
  return builds.size() == 1 ? *builds.begin() : "";
}

// Whether a result names no build (a preparation's) or this one.
bool IsOfBuild(const TaskResult& result, const std::string& build) {
  const nlohmann::json entry = nlohmann::json::parse(result.entry, nullptr, /*allow_exceptions=*/false);
  return !entry.is_object() || !entry.contains("build") || entry["build"] == build;
}

// The blobs that a result names, its own included; nullopt when it is gone, damaged or of another build.
absl::StatusOr<std::optional<std::vector<Digest>>> BlobsOf(Store& store, const std::string& tenant,
                                                           const TaskView& task, const std::string& build) {
  const absl::StatusOr<Digest> digest = Digest::Parse(task.result);
  if (!digest.ok()) return std::nullopt;
  const absl::StatusOr<std::string> json = ReadBlob(store, tenant, *digest);
  if (absl::IsUnavailable(json.status())) return json.status();
  if (!json.ok()) return std::nullopt;
  const absl::StatusOr<TaskResult> result = TaskResult::FromJson(*json);
  if (!result.ok() || !IsOfBuild(*result, build)) return std::nullopt;
  std::vector<Digest> blobs;
  for (const ResultFile& file : result->files) blobs.push_back(file.digest);
  if (result->parity) blobs.push_back(*result->parity);
  return blobs;
}

}  // namespace

bool MeasuresTheFarm(const RequestSpec& spec) {
  return std::any_of(spec.models.begin(), spec.models.end(),
                     [](const SpecModel& model) { return model.kind == "noop"; });
}

absl::StatusOr<std::string> FindMade(Queue& queue, Store& store, const std::string& tenant,
                                     const std::string& request_digest, bool verify) {
  ASSIGN_OR_RETURN(const std::optional<RequestView> equal, queue.FindEqual(tenant, request_digest));
  if (!equal || equal->open > 0 || !AllMade(*equal, verify)) return "";
  ASSIGN_OR_RETURN(const std::string build, BuildOfWorkers(queue));
  if (build.empty()) return "";
  const absl::StatusOr<std::vector<TaskView>> tasks = queue.ListTasks(equal->id, 0, equal->tasks);
  if (absl::IsNotFound(tasks.status())) return "";  // forgotten meanwhile
  RETURN_IF_ERROR(tasks.status());
  std::vector<Digest> needed;
  for (const TaskView& task : *tasks) {
    ASSIGN_OR_RETURN(const auto blobs, BlobsOf(store, tenant, task, build));
    if (!blobs) return "";
    needed.insert(needed.end(), blobs->begin(), blobs->end());
  }
  ASSIGN_OR_RETURN(const std::vector<Digest> missing, store.FindMissing(tenant, needed));
  return missing.empty() ? equal->id : "";
}

}  // namespace slipway
