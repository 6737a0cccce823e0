// Which earlier request can stand for a new one: docs/api.md, "Equal requests".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/queue/queue.h"
#include "common/store/store.h"
#include "common/task/task.h"

namespace slipway {

// Whether a request makes no files: each one is asked for its own sake.
bool MeasuresTheFarm(const RequestSpec& spec);

// The id of the newest equal request if it has ended with all that was asked for: every cell passed (or, where `verify`
// is false, unverified), by the build that all workers are of now, and every file is still in the store. Else "".
absl::StatusOr<std::string> FindMade(Queue& queue, Store& store, const std::string& tenant,
                                     const std::string& request_digest, bool verify);

}  // namespace slipway
