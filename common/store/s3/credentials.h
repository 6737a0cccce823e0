// Who the farm is at a bucket: keys that stand still, that a file keeps, or that are lent for a while and renewed.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::s3 {

struct Credentials {
  std::string access_key;
  std::string secret_key;     // never logged, never in a message
  std::string session_token;  // empty: none; as secret as the key
  absl::Time expires = absl::InfiniteFuture();
};

// Thread-safe; copies share what is lent.
class CredentialSource {
 public:
  using Get = std::function<absl::StatusOr<Credentials>()>;
  CredentialSource(Credentials fixed);  // NOLINT: what stands still is a source as it is
  explicit CredentialSource(Get get) : get_(std::move(get)) {}
  // To sign the next request with. Errors: as S3 calls have them.
  absl::StatusOr<Credentials> Now() const { return get_(); }

 private:
  Get get_;
};

// Keeps what `lend` gave until five minutes before it expires. Then one caller asks anew while the others go on with what
// there is; so does he for a minute when that fails. `lend` is called by one thread at a time.
CredentialSource Renewed(CredentialSource::Get lend);

// AssumeRoleWithWebIdentity at `endpoint` (an STS): lends what the token in the file `token`, read each time, stands for.
CredentialSource::Get WebIdentity(std::string endpoint, std::string role, std::string session, std::string token);
// GET `url`, with what the file `token` (if any, read each time) or else `authorization` says as Authorization: how ECS and EKS
// lend a container its role. FAILED_PRECONDITION, kind usage: plain HTTP to another machine.
absl::StatusOr<CredentialSource::Get> ContainerRole(std::string url, std::string authorization, std::string token);

}  // namespace slipway::s3
