// A request as tasks: one `prepare` a model, then one cell for each pair, blocked until its model's prepare has committed.
#pragma once

#include <vector>

#include "common/base/digest.h"
#include "common/queue/queue.h"
#include "common/task/task.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway {

struct Plan {
  RequestSpec spec;               // what workers read
  std::vector<QueuedTask> tasks;  // what the queue holds; the same indexes
  std::vector<Digest> inputs;     // blobs that must be there, each once
};

// The class of a task is the runtime that it needs (the preparation's is onnxruntime; none where nothing is verified) and the memory
// that a converter of its model takes at least. `request` has passed ValidateRequest. Models of kind noop have no prepare task: their cells are ready at once. The same request gives the same plan.
Plan PlanRequest(const v1::SubmitRequest& request);

}  // namespace slipway
