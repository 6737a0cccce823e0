// Fetches what ended cells made, on a thread of its own, while others are still at work.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>

#include "absl/status/status.h"
#include "client/lib/farm_client.h"
#include "client/report/output_folder.h"
#include "client/report/reporter.h"
#include "common/task/task.h"

namespace slipway::cli {

struct CellOutcome {
  v1::Cell cell;
  std::optional<TaskResult> result;
  CellLine line;
};

// (model, target, precision); of a model's preparation: target and precision empty.
using CellKey = std::tuple<std::string, std::string, std::string>;
using Outcomes = std::map<CellKey, CellOutcome>;

class Collector {
 public:
  // Stages files in `out`, tells `reporter` of each cell when its files are there. `on_error` runs once, on the
  // collector's thread, when a download or the disk fails: no cell is fetched after that.
  Collector(FarmClient& farm, OutputFolder& out, Reporter& reporter, std::function<void()> on_error);
  ~Collector();

  void Add(const v1::Cell& ended);
  // Waits until all that was added is fetched. The first error, if any.
  absl::StatusOr<Outcomes> Finish();

 private:
  void Run();
  absl::StatusOr<CellOutcome> Fetch(const v1::Cell& cell);
  absl::Status FetchFiles(const v1::Cell& cell, const TaskResult& result);

  FarmClient& farm_;
  OutputFolder& out_;
  Reporter& reporter_;
  std::function<void()> on_error_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<v1::Cell> queue_;
  bool closed_ = false;
  absl::Status error_;
  Outcomes outcomes_;
  std::thread thread_;
};

}  // namespace slipway::cli
