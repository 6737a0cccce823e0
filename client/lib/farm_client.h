// A farm as its clients see it: blobs in, a request, its progress, blobs out. One code path for a farm of many machines
// and for the embedded one.
//
//   ASSIGN_OR_RETURN(auto farm, FarmClient::Connect("unix:/run/slipway.sock", absl::Now() + absl::Seconds(10)));
//   ASSIGN_OR_RETURN(std::vector<Digest> digests, farm->UploadFiles({"model.onnx"}));  // only what is missing travels
//   v1::SubmitRequest request = …;                                                     // names those digests
//   ASSIGN_OR_RETURN(v1::SubmitResponse submitted, farm->Submit(request));
//   RETURN_IF_ERROR(farm->Watch(submitted.request_id(), {}, [&](const v1::WatchResponse& change) { … }));
//   ASSIGN_OR_RETURN(RequestStatus status, farm->Get(submitted.request_id()));         // every cell's result digest
//   RETURN_IF_ERROR(farm->Download(digest, "exports/model.onnx"));
//
// Errors keep the farm's code and ErrorKind: INVALID_ARGUMENT (usage) an impossible request; FAILED_PRECONDITION input
// blobs are missing; NOT_FOUND an unknown request or blob; DATA_LOSS damaged bytes; RESOURCE_EXHAUSTED a full farm;
// UNAVAILABLE (machine) nobody answered for `patience`, through reconnections; UNAUTHENTICATED, PERMISSION_DENIED (usage)
// the farm does not know the caller, or not as somebody who may.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "common/rpc/security.h"
#include "common/store/shared_store.h"
#include "proto/slipway/v1/blob.pb.h"
#include "proto/slipway/v1/export.pb.h"
#include "proto/slipway/v1/fleet.pb.h"

namespace slipway {

struct FarmClientOptions {
  absl::Duration patience = absl::Seconds(30);  // how long a call goes on trying while the farm does not answer
  absl::Duration call_timeout =
      absl::Seconds(60);       // of one attempt; then another coordinator is asked, where there is one
  ChannelSecurity security;    // TLS and the token
  int parallel_transfers = 4;  // blobs on their way at once, up or down
  // Told, from any thread, when the farm has sent a call away and said when to come again: why, and how long the call waits.
  std::function<void(const std::string& why, absl::Duration wait)> on_busy;
  // Told, from any thread, once a call, when there has been no answer, or no good one, for two seconds: why.
  std::function<void(const std::string& why)> on_overdue;
  // The farm's store, where this process shares it: blobs are then read from there. Must outlive the client.
  const SharedStore* shared_store = nullptr;
};

struct RequestStatus {
  v1::RequestInfo request;
  std::vector<v1::Cell> cells;  // by index
  // What was asked for, RequestSpec: its JSON, or the blob that has it.
  std::string spec_json;
  Digest spec;
};

struct OpenRequests {
  std::vector<v1::RequestInfo> requests;
  bool all = true;  // none was left out
};

// A blob and the file that it is to become.
struct DownloadItem {
  Digest digest;
  std::filesystem::path path;
};

struct WatchOptions {
  uint64_t cursor = 0;   // a WatchResponse's: only what is newer is told; 0: everything
  std::stop_token stop;  // from any thread: Watch returns CANCELLED at once
};

// Bytes that have moved, of all; called from transfer threads, one at a time.
using TransferProgress = std::function<void(uint64_t done, uint64_t total)>;

// Thread-safe. Every call blocks. Calls in flight may be ended from another thread by Shutdown().
class FarmClient {
 public:
  // `servers`: the farm's coordinators, "HOST:PORT" or "unix:/path", several separated by commas: one is used, and when it does not
  // answer, another. INVALID_ARGUMENT (usage) for another form, and CheckSecurity's; UNAVAILABLE when none answers by
  // `deadline`, or when all have refused for most of a second: with the reason, where TLS is the matter.
  static absl::StatusOr<std::unique_ptr<FarmClient>> Connect(std::string_view servers, absl::Time deadline,
                                                             const FarmClientOptions& options = {});
  virtual ~FarmClient() = default;

  // --- blobs
  // Those of `digests` that the farm lacks, in order, each once. Any number.
  virtual absl::StatusOr<std::vector<Digest>> FindMissing(std::span<const Digest> digests) = 0;
  // Hashes the files (each once), asks which are missing and sends only those. Their digests in order. NOT_FOUND: a
  // path cannot be opened; ABORTED: a file changed meanwhile.
  virtual absl::StatusOr<std::vector<Digest>> UploadFiles(std::span<const std::filesystem::path> files,
                                                          const TransferProgress& progress = {}) = 0;
  // Sends a file whose digest is known, whether or not the farm has it (then little travels).
  virtual absl::Status UploadFile(const std::filesystem::path& file, const Digest& digest) = 0;
  virtual absl::StatusOr<Digest> UploadBytes(std::string_view bytes) = 0;
  // Writes the blob to `path` under a temporary name beside it, checks its hash and renames: `path` appears whole or
  // not at all. A broken transfer goes on where it stopped.
  virtual absl::Status Download(const Digest& digest, const std::filesystem::path& path) = 0;
  // The same for many, in parallel; the first error ends all. Parent folders must exist.
  virtual absl::Status DownloadFiles(std::span<const DownloadItem> items, const TransferProgress& progress = {}) = 0;
  // A small blob, such as a result. RESOURCE_EXHAUSTED above 64 MiB.
  virtual absl::StatusOr<std::string> DownloadBytes(const Digest& digest) = 0;

  // --- requests
  // With an idempotency key (set one: a lost reply is then repeated safely; without it such a loss is UNAVAILABLE).
  virtual absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request) = 0;
  virtual absl::StatusOr<RequestStatus> Get(const std::string& request_id) = 0;  // all pages
  // Calls `on_change` from this thread with a snapshot, then with changes as they happen, until the request has ended
  // (OK). A cell's version is told once, in rising order. Survives lost coordinators: reconnects with backoff and goes
  // on from its cursor. UNAVAILABLE: nobody answered for `patience`. NOT_FOUND: the farm lost the request: submit
  // again.
  virtual absl::Status Watch(const std::string& request_id, const WatchOptions& options,
                             const std::function<void(const v1::WatchResponse&)>& on_change) = 0;
  // Ends a request. FAILED_PRECONDITION (usage): several wait for it, and not `for_all` is asked. Repeating is fine.
  virtual absl::Status Cancel(const std::string& request_id, bool for_all = false) = 0;
  // Who submitted it with this key waits no more: ends it unless others wait for it, and says whether they do.
  virtual absl::StatusOr<bool> Leave(const std::string& request_id, const std::string& idempotency_key) = 0;
  // Opens failed and cancelled cells again; how many. A request that is being cancelled is waited for.
  virtual absl::StatusOr<uint32_t> Retry(const std::string& request_id) = 0;
  // Forgets an ended request. FAILED_PRECONDITION (usage) while cells are open.
  virtual absl::Status Delete(const std::string& request_id) = 0;
  virtual absl::StatusOr<std::vector<v1::RequestInfo>> List(uint32_t limit) = 0;  // newest first
  // Those that have not ended, newest first: all of them, or where there are too many requests, those among the thousands of newest.
  virtual absl::StatusOr<OpenRequests> ListOpen() = 0;

  // --- fleet
  virtual absl::StatusOr<std::vector<v1::Worker>> ListWorkers() = 0;
  virtual absl::StatusOr<v1::GetQueueResponse> GetQueue() = 0;

  // The coordinator in use, as it was named.
  virtual std::string server() const = 0;

  // Ends every call in flight, and all later ones, with CANCELLED.
  virtual void Shutdown() = 0;
};

// A digest as the API carries it, and back (INVALID_ARGUMENT for anything but 64 lower-case hex digits).
v1::Digest ToMessage(const Digest& digest);
absl::StatusOr<Digest> FromMessage(const v1::Digest& message);

}  // namespace slipway
