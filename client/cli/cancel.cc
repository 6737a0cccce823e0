// slipway cancel REQUEST...: ends requests of a farm.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

absl::StatusOr<v1::RequestInfo> CancelOne(FarmClient& farm, const std::string& request) {
  RETURN_IF_ERROR(OfRequest(farm.Cancel(request)));
  ASSIGN_OR_RETURN(RequestStatus status, farm.Get(request));
  return std::move(status.request);
}

}  // namespace

int RunCancel(const Settings& settings, const Arguments& requests) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  int exit_code = kExitOk;
  std::vector<std::vector<std::string>> rows = {{"request", "state", "ended", "created"}};
  for (const std::string& request : requests) {
    // One that is unknown keeps none of the others running.
    const absl::StatusOr<v1::RequestInfo> info = CancelOne(**farm, request);
    if (!info.ok()) {
      exit_code = std::max(exit_code, Fail(info.status()));
      continue;
    }
    if (settings.Switch("json")) Print(ToJson(*info));
    rows.push_back(Row(*info));
  }
  if (!settings.Switch("json") && rows.size() > 1) Print(rows);
  return exit_code;
}

}  // namespace slipway::cli
