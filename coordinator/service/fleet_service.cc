#include "coordinator/service/fleet_service.h"

#include <algorithm>

#include "common/base/error.h"
#include "coordinator/service/class_service.h"
#include "coordinator/service/messages.h"
#include "coordinator/service/unary.h"

namespace slipway {
namespace {

constexpr uint32_t kMaxPage = 500;

absl::Status ListPage(Queue& queue, const v1::ListWorkersRequest& request, v1::ListWorkersResponse& response) {
  ASSIGN_OR_RETURN(std::vector<WorkerView> workers, queue.ListWorkers());
  std::sort(workers.begin(), workers.end(), [](const WorkerView& a, const WorkerView& b) { return a.id < b.id; });
  const uint32_t limit = std::min(request.page_size() == 0 ? kMaxPage : request.page_size(), kMaxPage);
  auto next = std::upper_bound(workers.begin(), workers.end(), request.page_token(),
                               [](const std::string& token, const WorkerView& worker) { return token < worker.id; });
  for (; next != workers.end() && response.workers_size() < static_cast<int>(limit); ++next)
    SetWorker(*next, *response.add_workers());
  if (next != workers.end()) response.set_next_page_token(std::prev(next)->id);
  return absl::OkStatus();
}

absl::Status TellQueue(Queue& queue, v1::GetQueueResponse& response) {
  ASSIGN_OR_RETURN(const QueueDepth depth, queue.Depth());
  ASSIGN_OR_RETURN(const std::vector<WorkerView> workers, queue.ListWorkers());
  const std::map<std::string, ClassService> service = ServiceOf(workers);
  response.set_open(depth.open);
  response.set_ready(depth.ready());
  response.set_running(depth.running);
  response.set_delayed(depth.delayed);
  for (const auto& [name, tasks] : depth.classes) {
    v1::QueueClass& told = *response.add_classes();
    told.set_name(name);
    told.set_ready(tasks.ready);
    told.set_oldest_ready_seconds(absl::ToDoubleSeconds(tasks.oldest));
    if (const auto found = service.find(name); found != service.end()) {
      told.set_workers(found->second.workers);
      told.set_slots(found->second.slots);
    }
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* FleetService::ListWorkers(grpc::CallbackServerContext* context,
                                                    const v1::ListWorkersRequest* request,
                                                    v1::ListWorkersResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kListWorkers, *context),
                  [=, this](Call&) { return ListPage(queue_, *request, *response); });
}

grpc::ServerUnaryReactor* FleetService::GetQueue(grpc::CallbackServerContext* context, const v1::GetQueueRequest*,
                                                 v1::GetQueueResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kGetQueue, *context),
                  [=, this](Call&) { return TellQueue(queue_, *response); });
}

}  // namespace slipway
