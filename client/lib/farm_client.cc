#include "client/lib/farm_client.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "client/lib/grpc_farm_client.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/base/retry_after.h"
#include "common/rpc/digest_message.h"
#include "common/rpc/endpoint.h"

namespace slipway {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kMaxBackoff = absl::Milliseconds(500);
constexpr uint32_t kOpenPage = 500;
constexpr int kOpenPages = 10;
constexpr absl::Duration kFullPatience = absl::Seconds(3);  // a crowd of calls passes by then; a full disk does not

}  // namespace

v1::Digest ToMessage(const Digest& digest) { return ToDigestMessage<v1::Digest>(digest); }

absl::StatusOr<Digest> FromMessage(const v1::Digest& message) { return FromDigestMessage(message); }

void Patience::Begin(absl::Time now) {
  if (failing_since_ != absl::InfiniteFuture()) return;
  failing_since_ = now;
  backoff_ = kFirstBackoff;
  elsewhere_ = 0;
  told_ = false;
}

void Patience::Expect(const std::string& server) {
  overdue_.emplace(options_.on_overdue, "the farm at " + server + " has not answered yet");
}

void Patience::Reset() {
  failing_since_ = absl::InfiniteFuture();
  overdue_.reset();
}

bool Patience::TryElsewhere(size_t others) {
  Begin(absl::Now());
  return elsewhere_++ < others && !stop_.stop_requested();
}

bool Patience::TryAgain(const absl::Status& status) {
  if (!absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) return false;
  if (KindOf(status) == ErrorKind::kUsage) return false;
  const absl::Time now = absl::Now();
  Begin(now);
  if (!overdue_) overdue_.emplace(options_.on_overdue, "");
  overdue_->Because(Message(status));
  const std::optional<absl::Duration> asked = RetryAfterOf(status);
  const absl::Duration patience =
      absl::IsResourceExhausted(status) && !asked ? std::min(options_.patience, kFullPatience) : options_.patience;
  const absl::Duration left = failing_since_ + patience - now;
  if (left <= absl::ZeroDuration()) return false;
  // So that the watchers of a lost coordinator, and those whom a busy one sent away, do not return all at once.
  static thread_local Random jitter(absl::ToUnixNanos(now));
  absl::Duration wait;
  if (asked) {
    wait = *asked * (1 + 0.25 * jitter.Uniform());
    if (wait > left) return false;  // what it would then hear is the same
    overdue_.reset();               // it is said here, and at once
    if (options_.on_busy && !std::exchange(told_, true)) options_.on_busy(Message(status), wait);
  } else {
    wait = std::min(backoff_ * (0.5 + 0.5 * jitter.Uniform()), left);
    backoff_ = std::min(backoff_ * 2, kMaxBackoff);
  }
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop_, absl::ToChronoNanoseconds(wait), [] { return false; });
  return !stop_.stop_requested();
}

absl::StatusOr<std::unique_ptr<FarmClient>> FarmClient::Connect(std::string_view servers, absl::Time deadline,
                                                                const FarmClientOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Doors> doors, Doors::Connect(servers, deadline, options.security));
  return std::make_unique<GrpcFarmClient>(std::move(doors), options);
}

bool GrpcFarmClient::LeaveIfDead(const absl::Status& status, const Door& door) {
  return (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) && doors_->Leave(door);
}

bool GrpcFarmClient::TryAgain(Patience& patience, const absl::Status& status, const Door& door) {
  if (LeaveIfDead(status, door) && patience.TryElsewhere(doors_->size() - 1)) return true;
  return patience.TryAgain(status);
}

absl::Status GrpcFarmClient::Explain(const grpc::Status& status, const Door& door,
                                     const grpc::ClientContext& context) const {
  if (shutdown_.stop_requested() && !status.ok()) return Cancelled("the connection to {} was shut down", door.address);
  const absl::Status result = FromGrpc(status, context);
  if (absl::IsUnavailable(result) || absl::IsDeadlineExceeded(result))
    return Annotate(result, "farm at " + door.address);
  if (absl::IsUnimplemented(result))
    return FailedPrecondition("what answers at {} is no farm that this client knows: {}", door.address,
                              Message(result));
  return result;
}

absl::StatusOr<v1::SubmitResponse> GrpcFarmClient::Submit(const v1::SubmitRequest& request) {
  if (const size_t bytes = request.ByteSizeLong(); bytes > kMaxRequestBytes) {
    return WithKind(
        InvalidArgument("the request has {} bytes and a farm takes {}; submit the models in several requests", bytes,
                        kMaxRequestBytes),
        ErrorKind::kUsage);
  }
  v1::SubmitResponse response;
  RETURN_IF_ERROR(
      Repeat([&](const Door& door,
                 grpc::ClientContext& context) { return door.exports->Submit(&context, request, &response); },
             /*repeatable=*/!request.idempotency_key().empty()));
  return response;
}

absl::StatusOr<RequestStatus> GrpcFarmClient::Get(const std::string& request_id) {
  RequestStatus result;
  std::map<uint32_t, v1::Cell> cells;  // a cell that changes while pages are read comes again, newer
  v1::GetRequest request;
  request.set_request_id(request_id);
  do {
    v1::GetResponse page;
    RETURN_IF_ERROR(Repeat(
        [&](const Door& door, grpc::ClientContext& context) { return door.exports->Get(&context, request, &page); }));
    for (v1::Cell& cell : *page.mutable_cells()) {
      const uint32_t index = cell.index();
      cells[index] = std::move(cell);
    }
    result.request = std::move(*page.mutable_request());
    result.spec_json = page.spec_json();
    if (page.has_spec()) {
      ASSIGN_OR_RETURN(result.spec, FromMessage(page.spec()));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  for (auto& [index, cell] : cells) result.cells.push_back(std::move(cell));
  return result;
}

absl::StatusOr<bool> GrpcFarmClient::Leave(const std::string& request_id, const std::string& idempotency_key) {
  v1::CancelRequest request;
  request.set_request_id(request_id);
  request.set_idempotency_key(idempotency_key);
  v1::CancelResponse response;
  RETURN_IF_ERROR(Repeat([&](const Door& door, grpc::ClientContext& context) {
    return door.exports->Cancel(&context, request, &response);
  }));
  return response.goes_on();
}

absl::Status GrpcFarmClient::Cancel(const std::string& request_id, bool for_all) {
  v1::CancelRequest request;
  request.set_request_id(request_id);
  request.set_for_all(for_all);
  v1::CancelResponse response;
  return Repeat([&](const Door& door, grpc::ClientContext& context) {
    return door.exports->Cancel(&context, request, &response);
  });
}

absl::StatusOr<uint32_t> GrpcFarmClient::Retry(const std::string& request_id) {
  v1::RetryRequest request;
  request.set_request_id(request_id);
  v1::RetryResponse response;
  RETURN_IF_ERROR(Repeat([&](const Door& door, grpc::ClientContext& context) {
    return door.exports->Retry(&context, request, &response);
  }));
  return response.cells();
}

absl::Status GrpcFarmClient::Delete(const std::string& request_id) {
  v1::DeleteRequest request;
  request.set_request_id(request_id);
  v1::DeleteResponse response;
  int calls = 0;
  const absl::Status status = Repeat([&](const Door& door, grpc::ClientContext& context) {
    ++calls;
    return door.exports->Delete(&context, request, &response);
  });
  // Deleted by an earlier call whose answer was lost.
  return calls > 1 && absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<v1::RequestInfo>> GrpcFarmClient::List(uint32_t limit) {
  std::vector<v1::RequestInfo> requests;
  v1::ListRequest request;
  do {
    request.set_page_size(limit - static_cast<uint32_t>(requests.size()));
    v1::ListResponse page;
    RETURN_IF_ERROR(Repeat(
        [&](const Door& door, grpc::ClientContext& context) { return door.exports->List(&context, request, &page); }));
    for (v1::RequestInfo& info : *page.mutable_requests()) {
      if (requests.size() < limit) requests.push_back(std::move(info));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && requests.size() < limit);
  return requests;
}

absl::StatusOr<OpenRequests> GrpcFarmClient::ListOpen() {
  OpenRequests open;
  v1::ListRequest request;
  request.set_page_size(kOpenPage);
  request.set_open_only(true);
  for (int pages = 0; pages == 0 || !request.page_token().empty(); ++pages) {
    if (pages == kOpenPages) {
      open.all = false;
      break;
    }
    v1::ListResponse page;
    RETURN_IF_ERROR(Repeat(
        [&](const Door& door, grpc::ClientContext& context) { return door.exports->List(&context, request, &page); }));
    for (v1::RequestInfo& info : *page.mutable_requests()) {
      if (info.open() > 0) open.requests.push_back(std::move(info));  // an older farm tells of all
    }
    request.set_page_token(page.next_page_token());
  }
  return open;
}

absl::StatusOr<std::vector<v1::Worker>> GrpcFarmClient::ListWorkers() {
  std::vector<v1::Worker> workers;
  v1::ListWorkersRequest request;
  do {
    v1::ListWorkersResponse page;
    RETURN_IF_ERROR(Repeat([&](const Door& door, grpc::ClientContext& context) {
      return door.fleet->ListWorkers(&context, request, &page);
    }));
    for (v1::Worker& worker : *page.mutable_workers()) workers.push_back(std::move(worker));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return workers;
}

absl::StatusOr<v1::GetQueueResponse> GrpcFarmClient::GetQueue() {
  v1::GetQueueResponse queue;
  RETURN_IF_ERROR(Repeat(
      [&](const Door& door, grpc::ClientContext& context) { return door.fleet->GetQueue(&context, {}, &queue); }));
  return queue;
}

}  // namespace slipway
