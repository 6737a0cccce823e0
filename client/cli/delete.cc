// slipway delete REQUEST...: a farm forgets requests that have ended.
#include <nlohmann/json.hpp>

#include "client/cli/each_request.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "common/base/error.h"

namespace slipway::cli {

int RunDelete(const Settings& settings, const Arguments& requests) {
  return ForEachRequest(settings, requests, [&](FarmClient& farm, const std::string& request) {
    RETURN_IF_ERROR(farm.Delete(request));
    if (settings.Switch("json")) {
      Print(nlohmann::ordered_json{{"request_id", request}, {"deleted", true}});
    } else {
      Print(std::vector<std::vector<std::string>>{{request, "deleted"}});
    }
    return absl::OkStatus();
  });
}

}  // namespace slipway::cli
