// slipway status REQUEST; without one, what `list` shows.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "client/cli/waiting.h"
#include "client/report/figures.h"

namespace slipway::cli {

using Json = nlohmann::ordered_json;

int RunStatus(const Settings& settings, const Arguments& request) {
  if (request.empty()) return RunList(settings, request);
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  const bool json = settings.Switch("json");
  const absl::StatusOr<RequestStatus> status = (*farm)->Get(request[0]);
  if (!status.ok()) return Fail(OfRequest(status.status()));
  const WaitingTasks waiting = Waiting(status->cells);
  absl::StatusOr<std::vector<v1::Worker>> workers;
  if (!waiting.empty()) workers = (*farm)->ListWorkers();
  const bool known = !waiting.empty() && workers.ok();
  Json cells = Json::array();
  std::vector<std::vector<std::string>> rows = {{"model", "target", "precision", "state", "attempts", "reason"}};
  for (const v1::Cell& cell : status->cells) {
    const CellLine line = ToLine(cell);
    cells.push_back(
        {{"model", line.model},
         {"target", line.target},
         {"precision", line.precision},
         {"state", line.state},
         {"progress", line.progress},
         {"reason", line.reason},
         {"worker", line.worker},
         {"attempts", line.attempts},
         {"attempt_reasons", std::vector<std::string>(cell.attempt_reasons().begin(), cell.attempt_reasons().end())},
         {"class", cell.task_class()}});
    if (line.target.empty()) {
      rows.push_back({line.model, "(prepare)", "", line.state, std::to_string(line.attempts), line.reason});
    } else {
      rows.push_back({line.model, line.target, line.precision, line.state, std::to_string(line.attempts), line.reason});
    }
    for (const std::string& reason : cell.attempt_reasons()) rows.push_back({"", "", "", "", "", "  " + reason});
  }
  if (json) {
    Json out = ToJson(status->request);
    out["tasks"] = std::move(cells);
    if (known) out["unserved"] = UnservedOnly(waiting, *workers);
    Print(out);
  } else {
    Print(std::vector<std::vector<std::string>>{Row(status->request)});
    Print(rows);
    if (const std::string unserved = known ? Unserved(waiting, *workers) : ""; !unserved.empty()) {
      std::puts(("\n" + unserved).c_str());
    }
  }
  return kExitOk;
}

}  // namespace slipway::cli
