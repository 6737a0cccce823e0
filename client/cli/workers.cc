// slipway workers: who works for a farm.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const v1::Worker& worker) {
  Json classes = Json::array();
  for (const std::string& name : worker.classes()) classes.push_back(name);
  return {{"id", worker.id()},
          {"host", worker.host()},
          {"version", worker.version()},
          {"slots", worker.slots()},
          {"busy", worker.busy()},
          {"classes", classes},
          {"last_seen", UtcTime(worker.last_seen())}};
}

}  // namespace

int RunWorkers(const Settings& settings, const Arguments&) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  const absl::StatusOr<std::vector<v1::Worker>> workers = (*farm)->ListWorkers();
  if (!workers.ok()) return Fail(workers.status());
  std::vector<std::vector<std::string>> rows = {{"id", "host", "version", "slots", "busy", "classes", "last seen"}};
  for (const v1::Worker& worker : *workers) {
    if (settings.Switch("json")) Print(ToJson(worker));
    rows.push_back({worker.id(), worker.host(), worker.version(), std::to_string(worker.slots()),
                    std::to_string(worker.busy()), fmt::format("{}", fmt::join(worker.classes(), ",")),
                    UtcTime(worker.last_seen())});
  }
  if (!settings.Switch("json")) Print(rows);
  return kExitOk;
}

}  // namespace slipway::cli
