// Who calls a farm, and what they may do there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipway {

// Each may do all that the ones before it may. Only ever within the caller's own tenant.
enum class Role {
  kRead,    // see requests, workers and the queue; fetch what was made
  kSubmit,  // upload, submit, cancel, retry
  kAdmin,   // forget requests
};

std::string_view Name(Role role);  // "read", "submit", "admin"
std::optional<Role> ParseRole(std::string_view name);

struct Identity {
  std::string tenant;
  Role role = Role::kRead;
  std::string name;  // of the token or certificate, for the audit log
};

// [a-z0-9_-]{1,64}: tenants are parts of paths and keys.
bool IsTenantName(std::string_view name);
// [A-Za-z0-9._@-]{1,64}
bool IsCallerName(std::string_view name);

}  // namespace slipway
