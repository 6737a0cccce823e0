#include "coordinator/service/export_service.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/metrics/metrics.h"
#include "common/rpc/digest_message.h"
#include "coordinator/planner/plan.h"
#include "coordinator/planner/validate.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/equal_requests.h"
#include "coordinator/service/messages.h"
#include "coordinator/service/refused.h"
#include "coordinator/service/requests.h"
#include "coordinator/service/unary.h"

namespace slipway {
namespace {

constexpr size_t kMissingNamed = 100;  // digests in the message; FindMissing tells all
constexpr uint32_t kDefaultListPage = 100;
constexpr uint32_t kLookedAtForOpen = 2000;  // in one call

const metrics::Counter kRequests("slipway_requests_submitted_total",
                                 "Requests taken: new, or joined to an earlier one by their idempotency key.",
                                 {"outcome"});
const metrics::Counter kTasks("slipway_tasks_submitted_total", "Tasks of new requests.");

uint32_t PageSize(uint32_t asked, uint32_t standard) {
  return std::min(asked == 0 ? standard : asked, ExportService::kMaxPage);
}

absl::Status MissingBlobs(std::span<const Digest> missing) {
  std::string names;
  for (const Digest& digest : missing.first(std::min(missing.size(), kMissingNamed))) names += " " + digest.ToString();
  if (missing.size() > kMissingNamed) names += fmt::format(" and {} more", missing.size() - kMissingNamed);
  return WithKind(FailedPrecondition("input blobs are missing; upload them and submit again:{}", names),
                  ErrorKind::kUsage);
}

}  // namespace

grpc::ServerUnaryReactor* ExportService::Submit(grpc::CallbackServerContext* context, const v1::SubmitRequest* request,
                                                v1::SubmitResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kSubmit, *context),
                  [=, this](Call& call) { return DoSubmit(call, *request, *response); });
}

grpc::ServerUnaryReactor* ExportService::Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                             v1::GetResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kGet, *context),
                  [=, this](Call& call) { return DoGet(call, *request, *response); });
}

grpc::ServerWriteReactor<v1::WatchResponse>* ExportService::Watch(grpc::CallbackServerContext* context,
                                                                  const v1::WatchRequest* request) {
  Call call(access_, method::kWatch, *context);
  if (!call.admitted().ok()) return new Refused<grpc::ServerWriteReactor<v1::WatchResponse>>(std::move(call));
  return watches_.Watch(std::move(call), request->request_id(), request->cursor());
}

grpc::ServerUnaryReactor* ExportService::Cancel(grpc::CallbackServerContext* context, const v1::CancelRequest* request,
                                                v1::CancelResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kCancel, *context),
                  [=, this](Call& call) { return DoCancel(call, *request, *response); });
}

grpc::ServerUnaryReactor* ExportService::Retry(grpc::CallbackServerContext* context, const v1::RetryRequest* request,
                                               v1::RetryResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kRetry, *context),
                  [=, this](Call& call) { return DoRetry(call, *request, *response); });
}

grpc::ServerUnaryReactor* ExportService::Delete(grpc::CallbackServerContext* context, const v1::DeleteRequest* request,
                                                v1::DeleteResponse*) {
  return RunUnary(context, executor_, Call(access_, method::kDelete, *context),
                  [=, this](Call& call) { return DoDelete(call, *request); });
}

grpc::ServerUnaryReactor* ExportService::List(grpc::CallbackServerContext* context, const v1::ListRequest* request,
                                              v1::ListResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kList, *context),
                  [=, this](Call& call) { return DoList(call, *request, *response); });
}

absl::Status ExportService::DoSubmit(Call& call, const v1::SubmitRequest& request, v1::SubmitResponse& response) {
  const std::string& tenant = call.tenant();
  RETURN_IF_ERROR(ValidateRequest(request));
  Plan plan = PlanRequest(request);
  ASSIGN_OR_RETURN(const std::vector<Digest> missing, store_.FindMissing(tenant, plan.inputs));
  if (!missing.empty()) return MissingBlobs(missing);

  const bool measures = MeasuresTheFarm(plan.spec), verify = plan.spec.options.verify;
  std::string json = plan.spec.ToJson();
  const std::string request_digest = Digest::Of(json).Hex();  // equal requests are equal, fresh or not
  if (request.fresh()) {
    plan.spec.fresh = true;
    json = plan.spec.ToJson();
  }
  ASSIGN_OR_RETURN(std::string spec, specs_.Put(tenant, plan.spec, std::move(json)));
  Failpoint("coordinator.spec_stored");
  QueuedRequest queued{.id = shard_ + "-" + RandomHex(16),
                       .tenant = tenant,
                       .idempotency_key = request.idempotency_key(),
                       .request_digest = request_digest,
                       .sharing = measures          ? QueuedRequest::Sharing::kAlone
                                  : request.fresh() ? QueuedRequest::Sharing::kFresh
                                                    : QueuedRequest::Sharing::kJoin,
                       .spec = std::move(spec),
                       .priority = request.priority(),
                       .bytes = std::accumulate(plan.inputs.begin(), plan.inputs.end(), uint64_t{0},
                                                [](uint64_t sum, const Digest& digest) { return sum + digest.bytes; }),
                       .timeout = absl::Seconds(request.timeout_seconds()),
                       .tasks = std::move(plan.tasks)};
  if (queued.sharing == QueuedRequest::Sharing::kJoin) {
    ASSIGN_OR_RETURN(queued.made, FindMade(queue_, store_, tenant, queued.request_digest, verify));
  }
  const absl::StatusOr<std::string> id = queue_.Submit(queued);
  Failpoint("coordinator.submitted");
  if (absl::IsAlreadyExists(id.status())) {
    return WithKind(absl::AlreadyExistsError(fmt::format("idempotency_key: \"{}\" named another request; use a new key",
                                                         request.idempotency_key())),
                    ErrorKind::kUsage);
  }
  if (!id.ok()) return id.status();
  response.set_request_id(*id);
  call.Concerns(*id);
  response.set_joined(*id != queued.id);
  kRequests.Add({response.joined() ? "joined" : "new"});
  if (!response.joined()) kTasks.Add({}, static_cast<double>(queued.tasks.size()));
  LogInfo(response.joined() ? "joined" : "submitted", {{"request", *id},
                                                       {"models", std::to_string(request.models_size())},
                                                       {"tasks", std::to_string(queued.tasks.size())}});
  return absl::OkStatus();
}

// A page token is the version up to which the caller has seen all cells: a cell that changes while pages are read is told again, none is left out.
absl::Status ExportService::DoGet(Call& call, const v1::GetRequest& request, v1::GetResponse& response) {
  uint64_t since = 0;
  const std::string& token = request.page_token();
  if (!token.empty()) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), since);
    if (error != std::errc() || end != token.data() + token.size()) {
      return WithKind(InvalidArgument("page_token: it is none that Get gave; leave it empty for the first page"),
                      ErrorKind::kUsage);
    }
  }
  const uint32_t limit = PageSize(request.page_size(), kMaxPage);
  ASSIGN_OR_RETURN(const RequestView view, FindRequest(queue_, call, request.request_id()));
  ASSIGN_OR_RETURN(const auto names, specs_.Get(call.tenant(), view.spec));
  ASSIGN_OR_RETURN(const std::vector<TaskView> tasks, queue_.ListTasks(view.id, since, limit));
  SetRequestInfo(view, *response.mutable_request());
  if (IsCarriedSpec(view.spec)) {
    response.set_spec_json(view.spec);
  } else if (const auto digest = Digest::Parse(view.spec); digest.ok()) {
    *response.mutable_spec() = ToDigestMessage<v1::Digest>(*digest);
  }
  for (const TaskView& task : tasks) SetCell(task, *names, *response.add_cells());
  if (tasks.size() >= limit) response.set_next_page_token(std::to_string(tasks.back().version));
  return absl::OkStatus();
}

absl::Status ExportService::DoCancel(Call& call, const v1::CancelRequest& request, v1::CancelResponse& response) {
  ASSIGN_OR_RETURN(const RequestView view, FindRequest(queue_, call, request.request_id()));
  if (!request.idempotency_key().empty() && !request.for_all()) {
    ASSIGN_OR_RETURN(const bool goes_on, queue_.Leave(view.id, request.idempotency_key()));
    response.set_goes_on(goes_on);
    Failpoint("coordinator.cancelled");
    LogInfo(goes_on ? "left" : "cancelled", {{"request", view.id}});
    return absl::OkStatus();
  }
  if (view.open > 0 && view.waiters > 1 && !request.for_all()) {
    return WithKind(FailedPrecondition("{} wait for request {}: it can only be cancelled for all of them (--for-all)",
                                       view.waiters, view.id),
                    ErrorKind::kUsage);
  }
  RETURN_IF_ERROR(queue_.Cancel(view.id));
  Failpoint("coordinator.cancelled");
  LogInfo("cancelled", {{"request", view.id}});
  return absl::OkStatus();
}

absl::Status ExportService::DoRetry(Call& call, const v1::RetryRequest& request, v1::RetryResponse& response) {
  ASSIGN_OR_RETURN(const RequestView view, FindRequest(queue_, call, request.request_id()));
  ASSIGN_OR_RETURN(const uint32_t cells, queue_.Retry(view.id));
  response.set_cells(cells);
  LogInfo("retried", {{"request", view.id}, {"tasks", std::to_string(cells)}});
  return absl::OkStatus();
}

absl::Status ExportService::DoDelete(Call& call, const v1::DeleteRequest& request) {
  ASSIGN_OR_RETURN(const RequestView view, FindRequest(queue_, call, request.request_id()));
  RETURN_IF_ERROR(queue_.Delete(view.id));
  LogInfo("deleted", {{"request", view.id}});
  return absl::OkStatus();
}

absl::Status ExportService::DoList(Call& call, const v1::ListRequest& request, v1::ListResponse& response) {
  const uint32_t size = PageSize(request.page_size(), kDefaultListPage);
  std::string token = request.page_token();
  uint32_t looked = 0;
  do {
    const uint32_t found = static_cast<uint32_t>(response.requests_size());
    ASSIGN_OR_RETURN(const auto page, queue_.ListRequests(call.tenant(), size - found, token));
    for (const RequestView& view : page.first) {
      if (!request.open_only() || view.open > 0) SetRequestInfo(view, *response.add_requests());
    }
    looked += size - found;
    token = page.second;
  } while (request.open_only() && !token.empty() && looked < kLookedAtForOpen &&
           static_cast<uint32_t>(response.requests_size()) <= size / 2);
  response.set_next_page_token(token);
  return absl::OkStatus();
}

}  // namespace slipway
