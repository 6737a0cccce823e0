// What a request that stands on a farm was asked for: for verbs that did not submit it.
#pragma once

#include "absl/status/statusor.h"
#include "client/cli/plan.h"
#include "client/lib/farm_client.h"
#include "common/task/task.h"

namespace slipway::cli {

absl::StatusOr<RequestSpec> ReadSpec(FarmClient& farm, const RequestStatus& request);

// The plan from which `slipway export` would have made the same request; `out`, `priority` and `timeout` are not in it.
// DATA_LOSS for names that no folder of an output may have: the farm is not trusted with our disk. FAILED_PRECONDITION
// (usage) for a request that makes no files.
absl::StatusOr<ExportPlan> PlanOf(const RequestSpec& spec);

}  // namespace slipway::cli
