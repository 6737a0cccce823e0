#include <stop_token>
#include <vector>

#include "client/lib/grpc_farm_client.h"
#include "common/base/error.h"

namespace slipway {
namespace {

// The versions a watcher has been told, so that what arrives twice is told once.
class KnownVersions {
 public:
  // Leaves only news in `response`.
  void Filter(v1::WatchResponse& response) {
    auto& cells = *response.mutable_cells();
    int kept = 0;
    for (int i = 0; i < cells.size(); ++i) {
      const uint32_t index = cells[i].index();
      if (index >= versions_.size()) versions_.resize(index + 1);
      if (cells[i].version() <= versions_[index]) continue;
      versions_[index] = cells[i].version();
      cells.SwapElements(kept++, i);
    }
    cells.DeleteSubrange(kept, cells.size() - kept);
  }
  void Forget() { versions_.clear(); }

 private:
  std::vector<uint64_t> versions_;  // by cell index; 0: not told
};

}  // namespace

absl::Status GrpcFarmClient::Watch(const std::string& request_id, const WatchOptions& options,
                                   const std::function<void(const v1::WatchResponse&)>& on_change) {
  std::stop_source stop;  // either the caller's or the whole client's
  const std::stop_callback on_caller(options.stop, [&stop] { stop.request_stop(); });
  const std::stop_callback on_shutdown(shutdown_.get_token(), [&stop] { stop.request_stop(); });
  const auto stopped = [&] { return Cancelled("watching {} was stopped", request_id); };

  Patience patience(options_.patience, stop.get_token());
  KnownVersions known;
  v1::WatchRequest request;
  request.set_request_id(request_id);
  request.set_cursor(options.cursor);
  while (!stop.stop_requested()) {
    grpc::ClientContext context;
    const std::stop_callback cancel(stop.get_token(), [&context] { context.TryCancel(); });
    const auto stream = exports_->Watch(&context, request);
    bool ended = false;
    for (v1::WatchResponse response; !ended && stream->Read(&response);) {
      patience.Reset();
      if (response.cursor() < request.cursor()) known.Forget();  // the farm lost its last changes, and tells all again
      request.set_cursor(response.cursor());
      ended = response.ended();
      known.Filter(response);
      on_change(response);
    }
    const grpc::Status status = stream->Finish();
    if (ended) return absl::OkStatus();
    if (stop.stop_requested()) return stopped();
    // A coordinator that dies or retires ends the stream in any of these ways.
    const bool broken = status.ok() || status.error_code() == grpc::StatusCode::CANCELLED;
    const absl::Status error =
        broken ? Unavailable("farm at {}: it ended the watch", server_) : Explain(status, context);
    if (!patience.TryAgain(error)) return stop.stop_requested() ? stopped() : error;
  }
  return stopped();
}

}  // namespace slipway
