// Records of the queue as messages of the API.
#pragma once

#include <string>

#include "common/queue/queue.h"
#include "common/task/task.h"
#include "proto/slipway/v1/export.pb.h"
#include "proto/slipway/v1/fleet.pb.h"

namespace slipway {

// `spec` names the task's model, target and precision.
void SetCell(const TaskView& task, const RequestSpec& spec, v1::Cell& cell);
void SetRequestInfo(const RequestView& request, v1::RequestInfo& info);
void SetWorker(const WorkerView& view, v1::Worker& worker);

}  // namespace slipway
