#include "client/cli/requests.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/time/time.h"
#include "client/report/text.h"
#include "common/base/error.h"

namespace slipway::cli {

using Json = nlohmann::ordered_json;

std::string RequestStateName(v1::RequestState state) {
  switch (state) {
    case v1::REQUEST_STATE_PLANNING:
      return "planning";
    case v1::REQUEST_STATE_ACTIVE:
      return "active";
    case v1::REQUEST_STATE_DONE:
      return "done";
    case v1::REQUEST_STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

std::string UtcTime(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

Json ToJson(const v1::RequestInfo& info) {
  Json counts = Json::object();
  for (const auto& [state, count] : info.counts()) counts[state] = count;
  return {{"request_id", info.request_id()},
          {"state", RequestStateName(info.state())},
          {"created", UtcTime(info.created())},
          {"cells", info.cells()},
          {"open", info.open()},
          {"counts", counts},
          {"priority", info.priority()},
          {"waiters", info.waiters()}};
}

std::vector<std::string> Row(const v1::RequestInfo& info) {
  return {info.request_id(), RequestStateName(info.state()),
          fmt::format("{}/{}", info.cells() - info.open(), info.cells()), UtcTime(info.created())};
}

void Print(const Json& json) { std::puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str()); }

void Print(const std::vector<std::vector<std::string>>& rows) {
  for (const std::string& line : Columns(rows)) std::puts(line.c_str());
}

absl::Status OfRequest(const absl::Status& status) {
  return absl::IsNotFound(status) ? WithKind(status, ErrorKind::kUsage) : status;
}

}  // namespace slipway::cli
