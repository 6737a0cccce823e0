#include "common/access/identity.h"

#include <algorithm>
#include <array>

namespace slipway {
namespace {

constexpr std::array<std::string_view, 3> kRoles = {"read", "submit", "admin"};  // by Role
constexpr size_t kMaxName = 64;

bool IsOf(std::string_view name, std::string_view alphabet) {
  return !name.empty() && name.size() <= kMaxName && name.find_first_not_of(alphabet) == std::string_view::npos;
}

}  // namespace

std::string_view Name(Role role) { return kRoles[static_cast<size_t>(role)]; }

std::optional<Role> ParseRole(std::string_view name) {
  const auto found = std::find(kRoles.begin(), kRoles.end(), name);
  if (found == kRoles.end()) return std::nullopt;
  return static_cast<Role>(found - kRoles.begin());
}

bool IsTenantName(std::string_view name) { return IsOf(name, "abcdefghijklmnopqrstuvwxyz0123456789_-"); }

bool IsCallerName(std::string_view name) {
  return IsOf(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-");
}

}  // namespace slipway
