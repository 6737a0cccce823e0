// slipway cancel REQUEST...: ends requests of a farm.
#include <nlohmann/json.hpp>

#include "client/cli/each_request.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "common/base/error.h"

namespace slipway::cli {

int RunCancel(const Settings& settings, const Arguments& requests) {
  std::vector<std::vector<std::string>> rows = {{"request", "state", "ended", "created"}};
  const int exit_code = ForEachRequest(settings, requests, [&](FarmClient& farm, const std::string& request) {
    RETURN_IF_ERROR(farm.Cancel(request, settings.Switch("for-all")));
    ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(request));
    if (settings.Switch("json")) Print(ToJson(status.request));
    rows.push_back(Row(status.request));
    return absl::OkStatus();
  });
  if (!settings.Switch("json") && rows.size() > 1) Print(rows);
  return exit_code;
}

}  // namespace slipway::cli
