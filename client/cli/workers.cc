// slipway workers: who works for a farm.
#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/fleet.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"

namespace slipway::cli {

int RunWorkers(const Settings& settings, const Arguments&) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  const absl::StatusOr<std::vector<v1::Worker>> workers = (*farm)->ListWorkers();
  if (!workers.ok()) return Fail(workers.status());
  std::vector<std::vector<std::string>> rows = {WorkerTitles()};
  for (const v1::Worker& worker : *workers) {
    if (settings.Switch("json")) Print(ToJson(worker));
    rows.push_back(Row(worker));
  }
  if (!settings.Switch("json")) Print(rows);
  return kExitOk;
}

}  // namespace slipway::cli
