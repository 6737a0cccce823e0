#include <algorithm>
#include <stop_token>
#include <vector>

#include "client/lib/grpc_farm_client.h"
#include "common/base/error.h"

namespace slipway {
namespace {

bool HasEnded(v1::CellState state) {
  switch (state) {
    case v1::CELL_STATE_BLOCKED:
    case v1::CELL_STATE_READY:
    case v1::CELL_STATE_DELAYED:
    case v1::CELL_STATE_RUNNING:
      return false;
    default:
      return true;
  }
}

// What a watcher has been told, so that what arrives twice is told once.
class KnownCells {
 public:
  // Leaves only news in `response`.
  void Filter(v1::WatchResponse& response) {
    auto& cells = *response.mutable_cells();
    int kept = 0;
    for (int i = 0; i < cells.size(); ++i) {
      const uint32_t index = cells[i].index();
      if (index >= cells_.size()) cells_.resize(index + 1);
      if (cells[i].version() <= cells_[index].version) continue;
      cells_[index] = {cells[i].version(), HasEnded(cells[i].state())};
      cells.SwapElements(kept++, i);
    }
    cells.DeleteSubrange(kept, cells.size() - kept);
  }
  void Forget() { cells_.clear(); }
  // Whether the end of none that it has heard of is missing.
  bool AllEnded() const {
    return std::all_of(cells_.begin(), cells_.end(), [](const Cell& cell) { return cell.ended || cell.version == 0; });
  }

 private:
  struct Cell {
    uint64_t version = 0;  // 0: not told
    bool ended = false;
  };
  std::vector<Cell> cells_;  // by index
};

}  // namespace

absl::Status GrpcFarmClient::Watch(const std::string& request_id, const WatchOptions& options,
                                   const std::function<void(const v1::WatchResponse&)>& on_change) {
  std::stop_source stop;  // either the caller's or the whole client's
  const std::stop_callback on_caller(options.stop, [&stop] { stop.request_stop(); });
  const std::stop_callback on_shutdown(shutdown_.get_token(), [&stop] { stop.request_stop(); });
  const auto stopped = [&] { return Cancelled("watching {} was stopped", request_id); };

  Patience patience(options_, stop.get_token());
  KnownCells known;
  v1::WatchRequest request;
  request.set_request_id(request_id);
  request.set_cursor(options.cursor);
  while (!stop.stop_requested()) {
    const Door& door = doors_->current();
    grpc::ClientContext context;
    const std::stop_callback cancel(stop.get_token(), [&context] { context.TryCancel(); });
    const auto stream = door.exports->Watch(&context, request);
    bool ended = false;
    for (v1::WatchResponse response; !ended && stream->Read(&response);) {
      patience.Reset();
      if (response.cursor() < request.cursor()) known.Forget();  // the farm lost its last changes, and tells all again
      request.set_cursor(response.cursor());
      known.Filter(response);
      // Redis lost its last changes, and had as many new ones before anyone looked: some fell below the cursor.
      const bool missed = response.ended() && !known.AllEnded();
      ended = response.ended() && !missed;
      response.set_ended(ended);
      on_change(response);
      if (missed) {
        known.Forget();
        request.set_cursor(0);
      }
    }
    const grpc::Status status = stream->Finish();
    if (ended) return absl::OkStatus();
    if (stop.stop_requested()) return stopped();
    // A coordinator that dies or retires ends the stream in any of these ways.
    const bool broken = status.ok() || status.error_code() == grpc::StatusCode::CANCELLED;
    const absl::Status error =
        broken ? Unavailable("farm at {}: it ended the watch", door.address) : Explain(status, door, context);
    if (!TryAgain(patience, error, door)) return stop.stop_requested() ? stopped() : error;
  }
  return stopped();
}

}  // namespace slipway
