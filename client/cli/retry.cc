// slipway retry REQUEST...: opens failed and cancelled cells of a farm's requests again.
#include <nlohmann/json.hpp>

#include "client/cli/each_request.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "common/base/error.h"

namespace slipway::cli {

int RunRetry(const Settings& settings, const Arguments& requests) {
  std::vector<std::vector<std::string>> rows = {{"request", "state", "ended", "created", "opened"}};
  const int exit_code = ForEachRequest(settings, requests, [&](FarmClient& farm, const std::string& request) {
    ASSIGN_OR_RETURN(const uint32_t opened, farm.Retry(request));
    ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(request));
    if (settings.Switch("json")) {
      nlohmann::ordered_json json = ToJson(status.request);
      json["opened"] = opened;
      Print(json);
    }
    rows.push_back(Row(status.request));
    rows.back().push_back(std::to_string(opened));
    return absl::OkStatus();
  });
  if (!settings.Switch("json") && rows.size() > 1) Print(rows);
  return exit_code;
}

}  // namespace slipway::cli
