// slipway list: the requests of a farm, newest first.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"

namespace slipway::cli {
namespace {

constexpr int64_t kListed = 20;

}  // namespace

int RunList(const Settings& settings, const Arguments&) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  const auto limit = static_cast<size_t>(settings.Integer("limit", kListed));
  // One more than is shown tells whether there are more.
  absl::StatusOr<std::vector<v1::RequestInfo>> requests = (*farm)->List(static_cast<uint32_t>(limit + 1));
  if (!requests.ok()) return Fail(requests.status());
  const bool more = requests->size() > limit;
  if (more) requests->resize(limit);
  std::vector<std::vector<std::string>> rows = {{"request", "state", "ended", "created"}};
  for (const v1::RequestInfo& info : *requests) {
    if (settings.Switch("json")) Print(ToJson(info));
    rows.push_back(Row(info));
  }
  if (!settings.Switch("json")) Print(rows);
  if (more) fmt::print(stderr, "slipway: there are older requests: --limit {} shows more\n", 10 * limit);
  return kExitOk;
}

}  // namespace slipway::cli
