// slipway status [REQUEST].
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/verb.h"
#include "client/report/figures.h"
#include "client/report/text.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint32_t kListed = 20;

std::string_view StateName(v1::RequestState state) {
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

std::string Created(const v1::RequestInfo& info) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(info.created().seconds()), absl::UTCTimeZone());
}

Json ToJson(const v1::RequestInfo& info) {
  Json counts = Json::object();
  for (const auto& [state, count] : info.counts()) counts[state] = count;
  return {{"request_id", info.request_id()},
          {"state", StateName(info.state())},
          {"created", Created(info)},
          {"cells", info.cells()},
          {"open", info.open()},
          {"counts", counts},
          {"priority", info.priority()}};
}

std::vector<std::string> Row(const v1::RequestInfo& info) {
  return {info.request_id(), std::string(StateName(info.state())),
          fmt::format("{}/{}", info.cells() - info.open(), info.cells()), Created(info)};
}

void Print(const Json& json) { std::puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str()); }

void Print(const std::vector<std::vector<std::string>>& rows) {
  for (const std::string& line : Columns(rows)) std::puts(line.c_str());
}

int ListRequests(FarmClient& farm, bool json) {
  const absl::StatusOr<std::vector<v1::RequestInfo>> requests = farm.List(kListed);
  if (!requests.ok()) return Fail(requests.status());
  std::vector<std::vector<std::string>> rows = {{"request", "state", "ended", "created"}};
  for (const v1::RequestInfo& info : *requests) {
    if (json) Print(ToJson(info));
    rows.push_back(Row(info));
  }
  if (!json) Print(rows);
  return kExitOk;
}

}  // namespace

int RunStatus(const Settings& settings, const Arguments& request) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  const bool json = settings.Switch("json");
  if (request.empty()) return ListRequests(**farm, json);
  const absl::StatusOr<RequestStatus> status = (*farm)->Get(request[0]);
  if (absl::IsNotFound(status.status())) return Fail(WithKind(status.status(), ErrorKind::kUsage));
  if (!status.ok()) return Fail(status.status());
  Json cells = Json::array();
  std::vector<std::vector<std::string>> rows = {{"model", "target", "precision", "state", "attempts", "reason"}};
  for (const v1::Cell& cell : status->cells) {
    const CellLine line = ToLine(cell);
    cells.push_back({{"model", line.model},
                     {"target", line.target},
                     {"precision", line.precision},
                     {"state", line.state},
                     {"progress", line.progress},
                     {"reason", line.reason},
                     {"worker", line.worker},
                     {"attempts", line.attempts}});
    if (line.target.empty()) {
      rows.push_back({line.model, "(prepare)", "", line.state, std::to_string(line.attempts), line.reason});
    } else {
      rows.push_back({line.model, line.target, line.precision, line.state, std::to_string(line.attempts), line.reason});
    }
  }
  if (json) {
    Json out = ToJson(status->request);
    out["tasks"] = std::move(cells);
    Print(out);
  } else {
    Print(std::vector<std::vector<std::string>>{Row(status->request)});
    Print(rows);
  }
  return kExitOk;
}

}  // namespace slipway::cli
