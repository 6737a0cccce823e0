// One Watch call.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "coordinator/service/caller.h"
#include "coordinator/watch/watch_hub.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway {

// At any time it waits for a change, for its turn to read, for the queue's answer, or for the client to take what was written.
class Watcher final : public grpc::ServerWriteReactor<v1::WatchResponse>, public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(WatchHub& hub, Call call, std::string request, uint64_t cursor);

  // Lives from here until OnDone().
  void Start();
  // The request may have changed.
  void Wake();
  // Ends the call with `status` as soon as nothing is under way.
  void Stop(const absl::Status& status);

  const std::string& request() const { return request_; }

 private:
  enum class Step { kWaiting, kScheduled, kReading, kWriting, kEnded };

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void Read();
  absl::Status Follow();
  // Fills page_; returns whether it is worth sending.
  absl::StatusOr<bool> ReadPage();
  void Schedule(Executor::Clock::time_point due);  // with mutex_ held
  void End(const absl::Status& status);            // with step_ already kEnded

  WatchHub& hub_;
  Call call_;
  const std::string request_;
  std::shared_ptr<Watcher> self_;

  std::mutex mutex_;
  Step step_ = Step::kWaiting;
  bool changed_ = false;              // since the last read began
  std::optional<absl::Status> stop_;  // end with it at the next chance
  Executor::Clock::time_point next_read_{};

  // Only of the step under way.
  bool following_ = false;
  bool told_ = false;  // at least one page
  bool more_ = false;  // the last page was full
  uint64_t cursor_;
  v1::RequestState last_state_ = v1::REQUEST_STATE_UNSPECIFIED;
  v1::WatchResponse page_;
};

}  // namespace slipway
