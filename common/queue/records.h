// What Redis holds, as views: docs/queue.md has the formats.
#pragma once

#include <span>
#include <string_view>

#include "common/queue/connection.h"
#include "common/queue/queue.h"

namespace slipway {

// All DATA_LOSS if malformed.
// `reasons`: of its attempts, lines; may be empty.
absl::StatusOr<TaskView> ParseTask(uint32_t index, std::string_view record, std::string_view reasons);
// `fields`: st, ab, sp and w of the request hash.
absl::StatusOr<RequestView> ParseRequest(std::string id, std::span<redisReply* const> fields,
                                         uint64_t* sequence = nullptr);
absl::StatusOr<WorkerView> ParseWorker(std::string id, std::string_view record);

// A worker's record without the time of its last sign of life.
std::string WorkerRecord(const WorkerView& worker);

// One line of at most 400 bytes, UTF-8 kept whole: what a record can hold.
std::string RecordField(std::string_view text);

std::string Join(std::span<const std::string> parts, char separator);

}  // namespace slipway
