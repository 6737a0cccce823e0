#include "client/cli/waiting.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace slipway::cli {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstLook{2}, kLastPause{60};
constexpr char kStartOne[] =
    " for the farm at {}: start slipway-worker there, unless the farm starts workers itself (`slipway workers` shows "
    "them)";

bool AnyLive(std::span<const v1::Worker> workers) {
  return std::ranges::any_of(workers, [](const v1::Worker& worker) { return !worker.silent(); });
}

std::string TasksWait(size_t count) { return count == 1 ? "1 task waits" : fmt::format("{} tasks wait", count); }

std::set<std::string> Offered(std::span<const v1::Worker> workers) {
  std::set<std::string> offered;
  for (const v1::Worker& worker : workers) {
    if (worker.silent()) continue;
    offered.insert(worker.classes().begin(), worker.classes().end());
  }
  return offered;
}

}  // namespace

WaitingTasks UnservedOnly(const WaitingTasks& waiting, std::span<const v1::Worker> workers) {
  const std::set<std::string> offered = Offered(workers);
  WaitingTasks unserved = waiting;
  std::erase_if(unserved, [&](const auto& entry) { return offered.contains(entry.first); });
  return unserved;
}

std::string Unserved(const WaitingTasks& waiting, std::span<const v1::Worker> workers) {
  const WaitingTasks unserved = UnservedOnly(waiting, workers);
  if (unserved.empty()) return "";
  if (!AnyLive(workers)) {
    size_t count = 0;
    for (const auto& [name, tasks] : unserved) count += tasks;
    return fmt::format("no worker {}: {}", workers.empty() ? "is connected" : "has been heard of for a minute",
                       TasksWait(count));
  }
  std::string text;
  for (const auto& [name, count] : unserved)
    text += fmt::format("{}{}: {}", text.empty() ? "no worker offers " : "; ", name, TasksWait(count));
  return text;
}

WaitingTasks Waiting(std::span<const v1::Cell> cells) {
  WaitingTasks waiting;
  for (const v1::Cell& cell : cells) {
    if (cell.state() == v1::CELL_STATE_READY) ++waiting[cell.task_class()];
  }
  return waiting;
}

WaitingNotice::WaitingNotice(FarmClient& farm, Reporter& reporter)
    : farm_(farm), reporter_(reporter), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

WaitingNotice::~WaitingNotice() {
  thread_.request_stop();
  wake_.notify_all();
}

void WaitingNotice::Saw(const v1::Cell& cell) {
  const std::lock_guard lock(mutex_);
  if (cell.state() == v1::CELL_STATE_READY) {
    ready_[cell.index()] = cell.task_class();
  } else {
    ready_.erase(cell.index());
  }
}

void WaitingNotice::Run(const std::stop_token& stop) {
  std::string noted;
  for (seconds pause = kFirstLook;; pause = std::min(pause * 2, kLastPause)) {
    WaitingTasks waiting;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, pause, [] { return false; });
      for (const auto& [index, name] : ready_) ++waiting[name];
    }
    if (stop.stop_requested()) return;
    if (waiting.empty()) continue;
    const auto workers = farm_.ListWorkers();
    if (!workers.ok()) continue;  // whoever watches tells what is wrong with the farm
    std::string text = Unserved(waiting, *workers);
    if (text == noted) continue;
    noted = std::move(text);
    if (noted.empty()) continue;
    reporter_.Note(
        fmt::format("slipway: {}{}", noted, AnyLive(*workers) ? "" : fmt::format(kStartOne, farm_.server())));
  }
}

}  // namespace slipway::cli
