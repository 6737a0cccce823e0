#include "client/cli/credentials.h"

#include <cstdlib>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway::cli {

absl::StatusOr<ChannelSecurity> CredentialsOf(const Settings& settings) {
  ChannelSecurity security{.tls = settings.Switch("tls"),
                           .files = {.certificate = settings.Text("tls-cert"),
                                     .key = settings.Text("tls-key"),
                                     .ca = settings.Text("tls-ca")},
                           .insecure = settings.Switch("insecure")};
  if (!settings.Has("token-file")) {
    if (const char* token = std::getenv("SLIPWAY_TOKEN")) security.token = token;
    return security;
  }
  const std::string file = settings.Text("token-file");
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return WithKind(Annotate(text.status(), "--token-file"), ErrorKind::kUsage);
  security.token = text->substr(0, text->find_first_of("\r\n"));
  if (security.token.empty())
    return WithKind(InvalidArgument("--token-file {}: its first line, the token, is empty", file), ErrorKind::kUsage);
  return security;
}

}  // namespace slipway::cli
