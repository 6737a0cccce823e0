#include "client/cli/collector.h"

#include <filesystem>

#include "client/report/figures.h"
#include "common/base/error.h"

namespace slipway::cli {

Collector::Collector(FarmClient& farm, OutputFolder& out, Reporter& reporter, std::function<void()> on_error)
    : farm_(farm), out_(out), reporter_(reporter), on_error_(std::move(on_error)), thread_([this] { Run(); }) {}

Collector::~Collector() {
  if (thread_.joinable()) (void)Finish();
}

void Collector::Add(const v1::Cell& ended) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(ended);
  changed_.notify_one();
}

absl::StatusOr<Outcomes> Collector::Finish() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }
  thread_.join();
  if (!error_.ok()) return error_;
  return std::move(outcomes_);
}

void Collector::Run() {
  for (;;) {
    v1::Cell cell;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closed_ || !queue_.empty(); });
      if (queue_.empty()) return;
      cell = std::move(queue_.front());
      queue_.pop_front();
    }
    absl::StatusOr<CellOutcome> outcome = Fetch(cell);
    if (!outcome.ok()) {
      // No reason to submit once more: the request is there, and would have the same blobs. Damaged ones go when they are found.
      const bool lost = absl::IsNotFound(outcome.status()) || absl::IsDataLoss(outcome.status());
      error_ = !lost ? outcome.status()
                     : DataLoss("the farm has lost what it made of {}: {}; export with --fresh to make it again",
                                cell.model(), Message(outcome.status()));
      on_error_();
      return;
    }
    reporter_.Changed(outcome->line);
    outcomes_[{cell.model(), cell.target(), cell.precision()}] = *std::move(outcome);
  }
}

absl::StatusOr<CellOutcome> Collector::Fetch(const v1::Cell& cell) {
  CellOutcome outcome;
  outcome.cell = cell;
  outcome.line = ToLine(cell);
  if (!cell.has_result()) {
    // What failed with its preparation has the queue's word alone, which may be cut short.
    const auto prepared = outcomes_.find({cell.model(), "", ""});
    if (cell.state() == v1::CELL_STATE_FAILED && prepared != outcomes_.end() && prepared->second.result &&
        prepared->second.cell.state() == v1::CELL_STATE_FAILED)
      outcome.line.reason = prepared->second.line.reason;
    return outcome;
  }
  ASSIGN_OR_RETURN(const Digest digest, FromMessage(cell.result()));
  ASSIGN_OR_RETURN(const std::string json, farm_.DownloadBytes(digest));
  ASSIGN_OR_RETURN(outcome.result, TaskResult::FromJson(json));
  if (!cell.target().empty()) RETURN_IF_ERROR(FetchFiles(cell, *outcome.result));
  AddFigures(*outcome.result, outcome.line);
  return outcome;
}

absl::Status Collector::FetchFiles(const v1::Cell& cell, const TaskResult& result) {
  if (result.files.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::filesystem::path folder,
                   out_.Stage(cell.model(), OutputFolder::CellName(cell.target(), cell.precision())));
  std::vector<DownloadItem> items;
  for (const ResultFile& file : result.files) {
    // The farm is not trusted with our disk.
    if (!IsContainedPath(file.path)) return DataLoss("the farm names a file outside its folder: {}", file.path);
    items.push_back({file.digest, folder / file.path});
    std::error_code error;
    std::filesystem::create_directories(items.back().path.parent_path(), error);
    if (error) return ErrnoStatus(error.value(), "make folder " + items.back().path.parent_path().string());
  }
  if (result.parity) items.push_back({*result.parity, folder / "parity.json"});
  return farm_.DownloadFiles(items);
}

}  // namespace slipway::cli
