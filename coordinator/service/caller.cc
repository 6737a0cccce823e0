#include "coordinator/service/caller.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <cctype>

#include "common/base/error.h"
#include "common/rpc/status.h"
#include "common/store/shared_store.h"

namespace slipway {
namespace {

constexpr std::string_view kScheme = "slipway://";

absl::Status Unauthenticated(const std::string& why) {
  return WithKind(absl::UnauthenticatedError(why), ErrorKind::kUsage);
}

absl::StatusOr<std::string_view> BearerToken(const grpc::CallbackServerContext& context) {
  const auto headers = context.client_metadata().equal_range("authorization");
  if (headers.first == headers.second) {
    return Unauthenticated(
        "this farm asks for a token: put it into SLIPWAY_TOKEN, or into a file that --token-file names; its keeper "
        "makes "
        "them (slipway token new)");
  }
  if (std::next(headers.first) != headers.second) return Unauthenticated("authorization: there are several; send one");
  const std::string_view value(headers.first->second.data(), headers.first->second.size());
  constexpr std::string_view kBearer = "bearer ";
  const bool is_bearer = value.size() > kBearer.size() &&
                         std::equal(kBearer.begin(), kBearer.end(), value.begin(),
                                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  if (!is_bearer) return Unauthenticated("authorization: it must be \"Bearer TOKEN\"");
  return value.substr(kBearer.size());
}

// "slipway://TENANT/ROLE/NAME"
absl::StatusOr<Identity> ParseCertificateName(std::string_view uri) {
  const std::string_view path = uri.substr(kScheme.size());
  const size_t first = path.find('/'), second = first == path.npos ? path.npos : path.find('/', first + 1);
  if (second != path.npos) {
    Identity identity{.tenant = std::string(path.substr(0, first)), .name = std::string(path.substr(second + 1))};
    const std::optional<Role> role = ParseRole(path.substr(first + 1, second - first - 1));
    if (role && IsTenantName(identity.tenant) && IsCallerName(identity.name)) {
      identity.role = *role;
      return identity;
    }
  }
  return Unauthenticated(
      "the certificate's name is not slipway://TENANT/ROLE/NAME with a role read, submit or admin; ask the farm's "
      "keeper "
      "for another certificate");
}

absl::StatusOr<Identity> OfCertificate(const grpc::CallbackServerContext& context) {
  std::vector<std::string_view> names;
  for (const grpc::string_ref& uri : context.auth_context()->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    const std::string_view name(uri.data(), uri.size());
    if (name.starts_with(kScheme)) names.push_back(name);
  }
  if (names.size() != 1) {
    return Unauthenticated(fmt::format(
        "the certificate must have exactly one URI slipway://TENANT/ROLE/NAME among its subject's alternative "
        "names, and has {}; ask the farm's keeper for another",
        names.size()));
  }
  return ParseCertificateName(names.front());
}

}  // namespace

absl::StatusOr<Identity> Access::Identify(const grpc::CallbackServerContext& context) const {
  switch (by_) {
    case By::kNothing:
      return Identity{.tenant = std::string(kSoleTenant), .role = Role::kAdmin};
    case By::kCertificate:
      return OfCertificate(context);
    case By::kToken: {
      ASSIGN_OR_RETURN(const std::string_view token, BearerToken(context));
      return tokens_->Find(token);
    }
  }
  return Internal("unreachable");
}

Call::Call(const Access& access, const Method& method, grpc::CallbackServerContext& context)
    : context_(&context), audit_(access.audit()), troubles_(&access.troubles()), method_(method) {
  const absl::StatusOr<Identity> caller = access.Identify(context);
  if (!caller.ok()) {
    admitted_ = caller.status();
    return;
  }
  caller_ = *caller;
  known_ = true;
  if (caller_.role >= method_.needs) return;
  admitted_ = WithKind(
      PermissionDenied("{} needs the role {}, and {} of tenant {} has {}; ask the farm's keeper for another token",
                       method_.name, Name(method_.needs), caller_.name, caller_.tenant, Name(caller_.role)),
      ErrorKind::kUsage);
}

grpc::Status Call::End(const absl::Status& status) {
  if (audit_ != nullptr) {
    audit_->Write({.peer = context_->peer(),
                   .tenant = caller_.tenant,
                   .role = known_ ? Name(caller_.role) : "",
                   .name = caller_.name,
                   .method = method_.name,
                   .subject = subject_,
                   .code = absl::StatusCodeToString(status.code())});
  }
  troubles_->Tell(method_.name, caller_.tenant, status);
  return ToGrpc(status, *context_);
}

}  // namespace slipway
