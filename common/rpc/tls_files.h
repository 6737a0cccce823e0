// PEM files, checked before gRPC gets them: it would only say later, and not why.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/security.h"

namespace slipway {

struct FreeOpenSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* connection) const { SSL_free(connection); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeOpenSsl>;
using SslConnection = std::unique_ptr<SSL, FreeOpenSsl>;

enum class TlsSide { kClient, kServer };  // whose flags the files are

// A context with the files loaded; without files.ca the machine's authorities. Errors are usage, name flag and file, and say what to do.
absl::StatusOr<SslContext> LoadTlsFiles(const TlsFiles& files, TlsSide side);

// Why OpenSSL's last call of this thread failed, in its words. Clears them.
std::string OpenSslReason();

}  // namespace slipway
