// FarmClient over gRPC; only farm_client.cc, blobs.cc and watch.cc include this.
#pragma once

#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "client/lib/doors.h"
#include "client/lib/farm_client.h"
#include "client/lib/overdue.h"
#include "common/rpc/status.h"

namespace slipway {

// How long to go on after the farm stopped answering. One a call.
class Patience {
 public:
  Patience(const FarmClientOptions& options, std::stop_token stop) : options_(options), stop_(std::move(stop)) {}

  // Whether to try once more after `status`, having waited for as long as it says, or else a little longer than the last time: only errors that time may
  // mend, and not for longer than the patience since the first of an unbroken row of them. False at once when stopped.
  bool TryAgain(const absl::Status& status);
  // Whether a row may go on without a wait, at another coordinator: `others` times.
  bool TryElsewhere(size_t others);
  // From now on an answer is waited for; else from the first error on.
  void Expect(const std::string& server);
  // The farm answered: the row is broken.
  void Reset();

 private:
  void Begin(absl::Time now);

  const FarmClientOptions& options_;
  const std::stop_token stop_;
  absl::Time failing_since_ = absl::InfiniteFuture();
  absl::Duration backoff_;
  size_t elsewhere_ = 0;  // of this row
  bool told_ = false;     // options_.on_busy, in this row
  std::optional<Overdue> overdue_;
};

class GrpcFarmClient final : public FarmClient {
 public:
  GrpcFarmClient(std::unique_ptr<Doors> doors, const FarmClientOptions& options)
      : options_(options), doors_(std::move(doors)) {}

  absl::StatusOr<std::vector<Digest>> FindMissing(std::span<const Digest> digests) override;
  absl::StatusOr<std::vector<Digest>> UploadFiles(std::span<const std::filesystem::path> files,
                                                  const TransferProgress& progress) override;
  absl::Status UploadFile(const std::filesystem::path& file, const Digest& digest) override;
  absl::StatusOr<Digest> UploadBytes(std::string_view bytes) override;
  absl::Status Download(const Digest& digest, const std::filesystem::path& path) override;
  absl::Status DownloadFiles(std::span<const DownloadItem> items, const TransferProgress& progress) override;
  absl::StatusOr<std::string> DownloadBytes(const Digest& digest) override;

  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request) override;
  absl::StatusOr<RequestStatus> Get(const std::string& request_id) override;
  absl::Status Watch(const std::string& request_id, const WatchOptions& options,
                     const std::function<void(const v1::WatchResponse&)>& on_change) override;
  absl::Status Cancel(const std::string& request_id, bool for_all) override;
  absl::StatusOr<bool> Leave(const std::string& request_id, const std::string& idempotency_key) override;
  absl::StatusOr<uint32_t> Retry(const std::string& request_id) override;
  absl::Status Delete(const std::string& request_id) override;
  absl::StatusOr<std::vector<v1::RequestInfo>> List(uint32_t limit) override;
  absl::StatusOr<OpenRequests> ListOpen() override;
  absl::StatusOr<std::vector<v1::Worker>> ListWorkers() override;
  absl::StatusOr<v1::GetQueueResponse> GetQueue() override;

  std::string server() const override { return doors_->current().address; }
  void Shutdown() override { shutdown_.request_stop(); }

 private:
  using BytesMoved = std::function<void(uint64_t)>;
  // Fills `buffer` with the blob's bytes from `offset`.
  using ReadSource = std::function<absl::Status(uint64_t offset, std::span<char> buffer)>;
  using WriteSink = std::function<absl::Status(std::string_view data)>;

  // One unary call, repeated while the farm does not answer. `call` is (const Door&, grpc::ClientContext&) → grpc::Status.
  template <typename Call>
  absl::Status Repeat(const Call& call, bool repeatable = true);

  absl::Status Upload(const Digest& digest, const ReadSource& source, const BytesMoved& moved);
  absl::Status UploadOnce(const Door& door, const Digest& digest, const ReadSource& source, const BytesMoved& moved,
                          uint64_t start);
  // What the coordinator keeps of an upload that broke off; 0 also where it does not say.
  uint64_t ReceivedOf(const Digest& digest);
  absl::Status UploadPath(const std::filesystem::path& file, const Digest& digest, const BytesMoved& moved);
  absl::Status Fetch(const Digest& digest, const WriteSink& sink);
  absl::Status FetchShared(const Digest& digest, const WriteSink& sink);
  absl::Status FetchOverConnection(const Digest& digest, const WriteSink& sink);
  absl::Status FetchFile(const DownloadItem& item, const BytesMoved& moved);
  // The error of a call that has ended, in words a user understands.
  absl::Status Explain(const grpc::Status& status, const Door& door, const grpc::ClientContext& context) const;
  // Goes over to another coordinator if `status` says that `door`'s did not answer; whether another is in use now.
  bool LeaveIfDead(const absl::Status& status, const Door& door);
  // Whether to try once more after a call at `door` ended with `status`: at once where another coordinator is there.
  bool TryAgain(Patience& patience, const absl::Status& status, const Door& door);

  const FarmClientOptions options_;
  const std::unique_ptr<Doors> doors_;
  std::stop_source shutdown_;
};

template <typename Call>
absl::Status GrpcFarmClient::Repeat(const Call& call, bool repeatable) {
  Patience patience(options_, shutdown_.get_token());
  patience.Expect(doors_->current().address);
  while (true) {
    const Door& door = doors_->current();
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options_.call_timeout));
    const std::stop_callback cancel(shutdown_.get_token(), [&context] { context.TryCancel(); });
    const absl::Status status = Explain(call(door, context), door, context);
    if (!repeatable) LeaveIfDead(status, door);  // for the next call
    if (status.ok() || !repeatable || !TryAgain(patience, status, door)) return status;
  }
}

}  // namespace slipway
