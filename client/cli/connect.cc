#include "client/cli/connect.h"

#include <cstdio>

#include "absl/time/clock.h"
#include "client/cli/credentials.h"
#include "client/lib/overdue.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

constexpr absl::Duration kConnectPatience = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<FarmClient>> ConnectToServer(const Settings& settings,
                                                            std::function<void(const std::string& line)> say) {
  if (!settings.Has("server")) {
    return WithKind(InvalidArgument("which farm? Name it with --server HOST:PORT or SLIPWAY_SERVER"),
                    ErrorKind::kUsage);
  }
  FarmClientOptions options;
  if (!say) say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  options.on_overdue = [say, patience = options.patience](const std::string& why) {
    say(fmt::format("slipway: {}; trying for up to {:.0f} s", why, absl::ToDoubleSeconds(patience)));
  };
  options.on_busy = [say](const std::string& why, absl::Duration wait) {
    say(fmt::format("slipway: {}; trying again in {:.1f} s", why, absl::ToDoubleSeconds(wait)));
  };
  ASSIGN_OR_RETURN(options.security, CredentialsOf(settings));
  const std::string servers = settings.Text("server");
  const Overdue overdue(
      [&say](const std::string& why) {
        say(fmt::format("slipway: {}; trying for up to {:.0f} s", why, absl::ToDoubleSeconds(kConnectPatience)));
      },
      servers + " has not answered yet");
  return FarmClient::Connect(servers, absl::Now() + kConnectPatience, options);
}

}  // namespace slipway::cli
