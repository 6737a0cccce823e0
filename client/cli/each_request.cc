#include "client/cli/each_request.h"

#include <algorithm>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"

namespace slipway::cli {

int ForEachRequest(const Settings& settings, const Arguments& requests,
                   const std::function<absl::Status(FarmClient& farm, const std::string& request)>& act) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  int exit_code = kExitOk;
  for (const std::string& request : requests) {
    const absl::Status status = OfRequest(act(**farm, request));
    if (!status.ok()) exit_code = std::max(exit_code, Fail(status));
  }
  return exit_code;
}

}  // namespace slipway::cli
