// Records of the queue as messages of the API.
#pragma once

#include <string>

#include "common/queue/queue.h"
#include "coordinator/planner/cell_names.h"
#include "proto/slipway/v1/export.pb.h"
#include "proto/slipway/v1/fleet.pb.h"

namespace slipway {

void SetCell(const TaskView& task, const CellNames& names, v1::Cell& cell);
void SetRequestInfo(const RequestView& request, v1::RequestInfo& info);
void SetWorker(const WorkerView& view, v1::Worker& worker);

}  // namespace slipway
