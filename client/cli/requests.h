// Requests and tables of a farm as the verbs print them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/timestamp.pb.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway::cli {

// "active", "done", …
std::string RequestStateName(v1::RequestState state);
// "2026-11-21T14:00:00Z"
std::string UtcTime(const google::protobuf::Timestamp& time);

nlohmann::ordered_json ToJson(const v1::RequestInfo& info);
// request, state, ended/all tasks, created
std::vector<std::string> Row(const v1::RequestInfo& info);

// On stdout: one line; aligned columns.
void Print(const nlohmann::ordered_json& json);
void Print(const std::vector<std::vector<std::string>>& rows);

// A request that the farm does not know is the user's mistake; other errors stay what they are.
absl::Status OfRequest(const absl::Status& status);

}  // namespace slipway::cli
