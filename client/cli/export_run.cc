#include "client/cli/export_run.h"

#include <fcntl.h>

#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "client/cli/waiting.h"
#include "client/report/figures.h"
#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/file.h"
#include "common/base/random.h"

namespace slipway::cli {
namespace {

constexpr int kSubmissions = 4;

// NOT_FOUND, FAILED_PRECONDITION: the farm lost the request or its blobs. It gets both again.
absl::Status WhileTheFarmForgets(const std::function<absl::Status()>& attempt) {
  absl::Status status;
  for (int submission = 0; submission < kSubmissions; ++submission) {
    status = attempt();
    if (!absl::IsNotFound(status) && !absl::IsFailedPrecondition(status)) return status;
  }
  return WithKind(Annotate(status, fmt::format("the farm lost what it was sent, {} times in a row", kSubmissions)),
                  ErrorKind::kMachine);
}

}  // namespace

ExportRun::ExportRun(ExportPlan& plan, Reporter& reporter, bool own_farm)
    : plan_(plan), reporter_(reporter), own_farm_(own_farm), key_(RandomHex(16)) {}

absl::Status ExportRun::HashInputs(const SharedStore* store) {
  std::map<std::string, Digest> known;  // one checkpoint may serve several models
  for (ModelArgument& model : plan_.models) {
    for (ModelFile& file : model.files) {
      if (cancelled()) return Cancelled("{}", cancel_reason());
      if (const auto it = known.find(file.path); it != known.end()) {
        file.digest = it->second;
        continue;
      }
      UniqueFd fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd.valid()) return ErrnoStatus(errno, "open " + file.path);
      absl::StatusOr<Digest> digest = store != nullptr ? store->Add(fd.get()) : DigestOfFile(fd.get());
      if (!digest.ok()) return Annotate(digest.status(), file.path);
      known[file.path] = file.digest = *digest;
    }
  }
  return absl::OkStatus();
}

absl::Status ExportRun::Follow(FarmClient& farm, OutputFolder& out) {
  bool told = false;
  return With(farm, [&] {
    return WhileTheFarmForgets([&] {
      RETURN_IF_ERROR(UploadAndSubmit(farm));
      if (!std::exchange(told, true)) reporter_.Started(request_id_, plan_.models.size() * plan_.pairs.size());
      return Watch(farm, out);
    });
  });
}

absl::Status ExportRun::Submit(FarmClient& farm) {
  return With(farm, [&] { return WhileTheFarmForgets([&] { return UploadAndSubmit(farm); }); });
}

absl::Status ExportRun::Fetch(FarmClient& farm, const std::string& request_id, OutputFolder& out) {
  request_id_ = request_id;
  return With(farm, [&] {
    RETURN_IF_ERROR(Enter(Phase::kWatching));
    reporter_.Started(request_id_, plan_.models.size() * plan_.pairs.size());
    return Watch(farm, out);
  });
}

absl::Status ExportRun::With(FarmClient& farm, const std::function<absl::Status()>& work) {
  {
    const std::lock_guard lock(mutex_);
    farm_ = &farm;
    if (!aborted_.ok()) return aborted_;  // the farm failed before there was a connection to end
  }
  const absl::Status status = work();
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kEnded;
  farm_ = nullptr;
  return aborted_.ok() ? status : aborted_;
}

absl::Status ExportRun::Upload(FarmClient& farm) {
  RETURN_IF_ERROR(Enter(Phase::kUploading));
  std::map<Digest, std::string> files;
  std::vector<Digest> wanted;
  for (const ModelArgument& model : plan_.models) {
    for (const ModelFile& file : model.files) {
      if (files.emplace(file.digest, file.path).second) wanted.push_back(file.digest);
    }
  }
  ASSIGN_OR_RETURN(const std::vector<Digest> missing, farm.FindMissing(wanted));
  for (const Digest& digest : missing) {
    const absl::Status status = farm.UploadFile(files[digest], digest);
    if (absl::IsInvalidArgument(status)) return Aborted("{} changed while it was read: run again", files[digest]);
    RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status ExportRun::UploadAndSubmit(FarmClient& farm) {
  RETURN_IF_ERROR(Upload(farm));
  RETURN_IF_ERROR(Enter(Phase::kSubmitting));
  ASSIGN_OR_RETURN(const v1::SubmitResponse response, farm.Submit(ToRequest(plan_, key_)));
  const bool first = request_id_.empty();
  request_id_ = response.request_id();
  Failpoint("client.submitted");
  if (first && response.joined()) {
    reporter_.Note(
        fmt::format("slipway: the farm has this request already, {} (--fresh makes everything again)", request_id_));
  }
  // A cancellation that came while the request was on its way.
  if (!Enter(Phase::kWatching).ok()) return Leave(farm);
  return absl::OkStatus();
}

absl::Status ExportRun::Leave(FarmClient& farm) {
  ASSIGN_OR_RETURN(const bool goes_on, farm.Leave(request_id_, key_));
  if (!goes_on) return absl::OkStatus();
  reporter_.Note("slipway: others wait for the request: it goes on for them");
  left_.request_stop();
  return absl::OkStatus();
}

absl::Status ExportRun::Watch(FarmClient& farm, OutputFolder& out) {
  if (detached()) return Cancelled("the request is left to the farm");
  // Ending all calls also ends the watch that waits for more.
  Collector collector(farm, out, reporter_, [&] { farm.Shutdown(); });
  std::optional<WaitingNotice> notice;
  if (!own_farm_) notice.emplace(farm, reporter_);
  std::map<CellKey, uint64_t> fetched;  // versions: a terminal state may be told twice
  absl::Status watched = farm.Watch(request_id_, {.stop = left_.get_token()}, [&](const v1::WatchResponse& change) {
    for (const v1::Cell& cell : change.cells()) {
      if (notice) notice->Saw(cell);
      if (!IsEnded(cell.state())) {
        reporter_.Changed(ToLine(cell));
      } else if (fetched.emplace(CellKey{cell.model(), cell.target(), cell.precision()}, cell.version()).second) {
        collector.Add(cell);
      }
    }
  });
  notice.reset();
  if (left_.stop_requested() && absl::IsCancelled(watched))
    watched = absl::OkStatus();  // what has ended so far is ours
  absl::StatusOr<Outcomes> outcomes = collector.Finish();
  if (!outcomes.ok() && !(absl::IsCancelled(outcomes.status()) && !watched.ok())) return outcomes.status();
  goes_on_ = absl::IsUnavailable(watched);
  RETURN_IF_ERROR(watched);
  outcomes_ = *std::move(outcomes);
  return absl::OkStatus();
}

absl::Status ExportRun::Enter(Phase phase) {
  const std::lock_guard lock(mutex_);
  phase_ = phase;
  return cancelled_ ? Cancelled("{}", cancel_reason_) : absl::OkStatus();
}

void ExportRun::Cancel(const std::string& why) {
  FarmClient* watching = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_ || phase_ == Phase::kEnded) return;
    cancelled_ = true;
    cancel_reason_ = why;
    if (phase_ == Phase::kUploading && farm_ != nullptr) farm_->Shutdown();
    if (phase_ == Phase::kWatching) watching = farm_;
  }
  if (watching == nullptr) return;
  const absl::Status status = Leave(*watching);
  if (!status.ok()) reporter_.Note("slipway: cannot cancel: " + Message(status));
}

void ExportRun::Detach() {
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_ || phase_ == Phase::kEnded) return;
    detached_ = phase_ == Phase::kSubmitting || phase_ == Phase::kWatching;
    if (phase_ == Phase::kWatching) farm_->Shutdown();
    if (detached_) return;
  }
  Cancel("cancelled by the user");
}

bool ExportRun::detached() const {
  const std::lock_guard lock(mutex_);
  return detached_;
}

bool ExportRun::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

std::string ExportRun::cancel_reason() const {
  const std::lock_guard lock(mutex_);
  return cancel_reason_;
}

absl::Status ExportRun::aborted() const {
  const std::lock_guard lock(mutex_);
  return aborted_;
}

void ExportRun::Abort(const absl::Status& error) {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::kEnded || !aborted_.ok()) return;
  aborted_ = error;
  if (farm_ != nullptr) farm_->Shutdown();
}

}  // namespace slipway::cli
