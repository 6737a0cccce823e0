// slipway token new|list|revoke: keeps the file of those who may call a farm (the coordinator's --tokens).
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "common/access/tokens.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

std::string TimeText(absl::Time time) {
  return time == absl::InfiniteFuture() ? "never" : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

nlohmann::ordered_json ToJson(const Identity& identity, absl::Time expires) {
  return {{"name", identity.name},
          {"tenant", identity.tenant},
          {"role", Name(identity.role)},
          {"expires", expires == absl::InfiniteFuture() ? nlohmann::ordered_json(nullptr)
                                                        : nlohmann::ordered_json(TimeText(expires))}};
}

absl::Status New(const Settings& settings, const Arguments& names) {
  if (!names.empty()) return Usage(InvalidArgument("token new takes the name as --name"));
  for (const char* needed : {"tenant", "role", "name"}) {
    if (!settings.Has(needed)) return Usage(InvalidArgument("token new needs --tenant, --role and --name"));
  }
  const std::optional<Role> role = ParseRole(settings.Text("role"));
  if (!role) return Usage(InvalidArgument("--role {}: it is read, submit or admin", settings.Text("role")));
  const Identity identity{.tenant = settings.Text("tenant"), .role = *role, .name = settings.Text("name")};
  if (!IsTenantName(identity.tenant))
    return Usage(InvalidArgument("--tenant {}: a tenant's name has a-z, 0-9, _ and -, at most 64", identity.tenant));
  if (!IsCallerName(identity.name))
    return Usage(
        InvalidArgument("--name {}: a token's name has letters, digits, . _ @ and -, at most 64", identity.name));
  absl::Time expires = absl::InfiniteFuture();
  if (const std::optional<absl::Duration> life = settings.Duration("expires")) expires = absl::Now() + *life;
  ASSIGN_OR_RETURN(const std::string token, AddToken(settings.Text("tokens"), identity, expires));
  if (settings.Switch("json")) {
    nlohmann::ordered_json json = ToJson(identity, expires);
    json["token"] = token;
    Print(json);
  } else {
    std::puts(token.c_str());
    std::fprintf(stderr, "slipway: the token of %s; it is kept nowhere: hand it over now\n", identity.name.c_str());
  }
  return absl::OkStatus();
}

absl::Status List(const Settings& settings, const Arguments& names) {
  if (!names.empty()) return Usage(InvalidArgument("token list takes no name"));
  ASSIGN_OR_RETURN(const std::vector<TokenEntry> entries, ReadTokens(settings.Text("tokens")));
  std::vector<std::vector<std::string>> rows = {{"name", "tenant", "role", "expires"}};
  for (const TokenEntry& entry : entries) {
    const bool expired = entry.expires <= absl::Now();
    if (settings.Switch("json")) {
      nlohmann::ordered_json json = ToJson(entry.identity, entry.expires);
      json["expired"] = expired;
      Print(json);
    }
    rows.push_back({entry.identity.name, entry.identity.tenant, std::string(Name(entry.identity.role)),
                    TimeText(entry.expires) + (expired ? " (expired)" : "")});
  }
  if (!settings.Switch("json")) Print(rows);
  return absl::OkStatus();
}

absl::Status Revoke(const Settings& settings, const Arguments& names) {
  if (names.empty()) return Usage(InvalidArgument("token revoke needs the names of tokens (slipway token list)"));
  for (const std::string& name : names) RETURN_IF_ERROR(RevokeToken(settings.Text("tokens"), name));
  return absl::OkStatus();
}

absl::Status Act(const Settings& settings, const Arguments& arguments) {
  if (!settings.Has("tokens"))
    return Usage(InvalidArgument("which file? Name the coordinators' with --tokens FILE or SLIPWAY_TOKENS"));
  const Arguments names(arguments.begin() + 1, arguments.end());
  if (arguments[0] == "new") return New(settings, names);
  if (arguments[0] == "list") return List(settings, names);
  if (arguments[0] == "revoke") return Revoke(settings, names);
  return Usage(InvalidArgument("token {}: it is new, list or revoke", arguments[0]));
}

}  // namespace

int RunToken(const Settings& settings, const Arguments& arguments) {
  const absl::Status status = Act(settings, arguments);
  if (!status.ok()) return Fail(status);
  // What a coordinator would refuse it for.
  if (const absl::Status refused = LookAtTokens(settings.Text("tokens")).status(); !refused.ok())
    std::fprintf(stderr, "slipway: warning: %s\n", Message(refused).c_str());
  return kExitOk;
}

}  // namespace slipway::cli
