// Who calls, and whether they may: the one place that knows. Every handler of the three services makes a Call of its
// method first, does nothing unless it was admitted, sees only its tenant's things, and ends by Call::End.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/access/identity.h"
#include "common/access/tokens.h"
#include "coordinator/service/audit_log.h"
#include "coordinator/service/troubles.h"

namespace slipway {

struct Method {
  std::string_view name;  // without the package
  Role needs;
};

// What each method needs.
namespace method {
inline constexpr Method kSubmit{"ExportService/Submit", Role::kSubmit};
inline constexpr Method kGet{"ExportService/Get", Role::kRead};
inline constexpr Method kWatch{"ExportService/Watch", Role::kRead};
inline constexpr Method kCancel{"ExportService/Cancel", Role::kSubmit};
inline constexpr Method kRetry{"ExportService/Retry", Role::kSubmit};
inline constexpr Method kDelete{"ExportService/Delete", Role::kAdmin};
inline constexpr Method kList{"ExportService/List", Role::kRead};
inline constexpr Method kFindMissing{"BlobService/FindMissing", Role::kSubmit};
inline constexpr Method kUpload{"BlobService/Upload", Role::kSubmit};
inline constexpr Method kQueryUpload{"BlobService/QueryUpload", Role::kSubmit};
inline constexpr Method kDownload{"BlobService/Download", Role::kRead};
inline constexpr Method kListWorkers{"FleetService/ListWorkers", Role::kRead};  // of the whole farm
inline constexpr Method kGetQueue{"FleetService/GetQueue", Role::kRead};        // figures of the whole farm
}  // namespace method

// How callers are known. Thread-safe.
class Access {
 public:
  enum class By {
    kNothing,      // everybody is the sole tenant's admin
    kCertificate,  // by the one URI slipway://TENANT/ROLE/NAME among its subject's alternative names
    kToken,        // by the header "authorization: Bearer TOKEN"
  };
  // Borrows; `tokens` for kToken only, `audit` may be null.
  Access(By by, TokenFile* tokens, AuditLog* audit, Troubles& troubles)
      : by_(by), tokens_(tokens), audit_(audit), troubles_(troubles) {}

  // UNAUTHENTICATED (usage), with what to do: no, malformed, unknown or expired credentials.
  absl::StatusOr<Identity> Identify(const grpc::CallbackServerContext& context) const;
  AuditLog* audit() const { return audit_; }
  Troubles& troubles() const { return troubles_; }

 private:
  const By by_;
  TokenFile* const tokens_;
  AuditLog* const audit_;
  Troubles& troubles_;
};

// One call, from its first byte to its status.
class Call {
 public:
  Call(const Access& access, const Method& method, grpc::CallbackServerContext& context);

  // OK; UNAUTHENTICATED; PERMISSION_DENIED (usage), naming the role that the method needs.
  const absl::Status& admitted() const { return admitted_; }
  // Whose requests and blobs it may see. Of an admitted call only.
  const std::string& tenant() const { return caller_.tenant; }
  // For the audit log: a request's id or a digest.
  void Concerns(std::string_view subject) { subject_ = subject; }
  // What the call's Finish() gets; writes the audit log, and the log if it is the farm's fault. Once, after all else.
  grpc::Status End(const absl::Status& status);

 private:
  grpc::CallbackServerContext* context_;
  AuditLog* audit_;
  Troubles* troubles_;
  Method method_;
  Identity caller_;
  bool known_ = false;  // somebody, even if not somebody who may
  absl::Status admitted_;
  std::string subject_;
};

}  // namespace slipway
