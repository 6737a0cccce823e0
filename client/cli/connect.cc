#include "client/cli/connect.h"

#include "absl/time/clock.h"
#include "client/cli/credentials.h"
#include "common/base/error.h"

namespace slipway::cli {

absl::StatusOr<std::unique_ptr<FarmClient>> ConnectToServer(const Settings& settings) {
  if (!settings.Has("server")) {
    return WithKind(InvalidArgument("which farm? Name it with --server HOST:PORT or SLIPWAY_SERVER"),
                    ErrorKind::kUsage);
  }
  FarmClientOptions options;
  ASSIGN_OR_RETURN(options.security, CredentialsOf(settings));
  return FarmClient::Connect(settings.Text("server"), absl::Now() + absl::Seconds(5), options);
}

}  // namespace slipway::cli
