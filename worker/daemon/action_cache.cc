#include "worker/daemon/action_cache.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/log.h"
#include "worker/pipeline/entry.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr auto kGlance = std::chrono::milliseconds(50);

// The parts, each with its length: no two lists make one text.
Digest DigestOf(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (std::string_view part : parts) text += fmt::format("{}:{}\n", part.size(), part);
  return Digest::Of(text);
}

std::string SpecText(const SpecModel& model, const SpecOptions& options, SpecTask task) {
  task.model = 0;
  task.prepare = -1;
  RequestSpec spec;
  spec.models = {model};
  spec.options = options;
  spec.tasks = {std::move(task)};
  return spec.ToJson();
}

}  // namespace

ActionKeys KeysOf(const TaskMessage& task, std::string_view runtimes) {
  constexpr std::string_view kScheme = "slipway.action/1";
  const std::string reference = task.reference ? task.reference->ToString() : "";
  ActionKeys keys;
  // A prepare task's result names the files as the user did; an artifact knows only their bytes.
  SpecModel model = task.model;
  const bool cell = task.task.kind == SpecTask::Kind::kCell;
  for (SpecFile& file : model.files) {
    if (cell) file.path.clear();
  }
  keys.result = DigestOf({kScheme, "result", BuildId(), SpecText(model, task.options, task.task), reference, runtimes});
  if (!cell) return keys;
  // All options but those that only prove: one that is added later changes artifacts until it is named here.
  SpecOptions options = task.options;
  const SpecOptions standard;
  options.tolerance = standard.tolerance;
  options.verify = standard.verify;
  options.samples = standard.samples;
  keys.artifact = DigestOf({kScheme, "artifact", BuildId(), SpecText(model, options, task.task)});
  return keys;
}

bool IsLasting(const TaskMessage& task, const TaskOutput& output) {
  if (task.task.kind == SpecTask::Kind::kPrepare)
    return output.state == "passed" && (!task.options.verify || !output.reference.empty());
  if (output.state == "passed" || output.state == "parity_failed") return true;
  if (output.state != "unverified") return false;
  if (!task.options.verify) return true;
  const json entry = json::parse(output.entry, nullptr, /*allow_exceptions=*/false);
  const json parity = entry.is_object() ? entry.value("parity", json()) : json();
  return parity.is_object() && parity.contains("verdict") && parity["verdict"] == "not_discriminating";
}

std::optional<KeptResult> ActionCache::Find(const std::string& tenant, const Digest& key) {
  const auto kept = [&]() -> absl::StatusOr<KeptResult> {
    ASSIGN_OR_RETURN(const Digest digest, store_.FindAction(tenant, key));
    ASSIGN_OR_RETURN(const std::string text, ReadBlob(store_, tenant, digest));
    ASSIGN_OR_RETURN(TaskResult result, TaskResult::FromJson(text));
    std::vector<Digest> blobs;
    for (const ResultFile& file : result.files) blobs.push_back(file.digest);
    for (const auto& more : {result.parity, result.reference, result.emitted}) {
      if (more) blobs.push_back(*more);
    }
    // What a cache before the store still has the store may have lost; and it is used from now on.
    ASSIGN_OR_RETURN(const std::vector<Digest> missing, store_.FindMissing(tenant, blobs));
    if (!missing.empty()) return NotFound("blob {} is not stored", missing[0].ToString());
    for (const Digest& blob : blobs) RETURN_IF_ERROR(store_.OpenLocal(tenant, blob).status());
    return KeptResult{digest, std::move(result)};
  }();
  if (kept.ok()) return *kept;
  if (!absl::IsNotFound(kept.status()))
    LogWarning("a kept result is made again", {{"key", key.Hex()}, {"reason", Message(kept.status())}});
  return std::nullopt;
}

void ActionCache::Keep(const std::string& tenant, const Digest& key, const Digest& result) {
  if (const absl::Status kept = store_.PutAction(tenant, key, result); !kept.ok())
    LogWarning("a result is not kept", {{"key", key.Hex()}, {"reason", Message(kept)}});
}

std::optional<ActionCache::Turn> ActionCache::Await(const std::string& tenant, const Digest& key,
                                                    const std::function<bool()>& give_up) {
  std::string name = tenant + "/" + key.Hex();
  std::unique_lock lock(mutex_);
  while (under_way_.contains(name)) {
    if (give_up()) return std::nullopt;
    ended_.wait_for(lock, kGlance);
  }
  under_way_.insert(name);
  return std::optional<Turn>(std::in_place, *this, std::move(name));
}

ActionCache::Turn::~Turn() {
  if (cache_ == nullptr) return;
  {
    std::lock_guard lock(cache_->mutex_);
    cache_->under_way_.erase(name_);
  }
  cache_->ended_.notify_all();
}

}  // namespace slipway
