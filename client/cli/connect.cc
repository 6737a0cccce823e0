#include "client/cli/connect.h"

#include <cstdio>

#include "absl/time/clock.h"
#include "client/cli/credentials.h"
#include "common/base/error.h"

namespace slipway::cli {

absl::StatusOr<std::unique_ptr<FarmClient>> ConnectToServer(const Settings& settings,
                                                            std::function<void(const std::string& line)> say) {
  if (!settings.Has("server")) {
    return WithKind(InvalidArgument("which farm? Name it with --server HOST:PORT or SLIPWAY_SERVER"),
                    ErrorKind::kUsage);
  }
  FarmClientOptions options;
  if (!say) say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  options.on_busy = [say = std::move(say)](const std::string& why, absl::Duration wait) {
    say(fmt::format("slipway: {}; trying again in {:.1f} s", why, absl::ToDoubleSeconds(wait)));
  };
  ASSIGN_OR_RETURN(options.security, CredentialsOf(settings));
  return FarmClient::Connect(settings.Text("server"), absl::Now() + absl::Seconds(5), options);
}

}  // namespace slipway::cli
