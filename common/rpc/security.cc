#include "common/rpc/security.h"

#include <grpcpp/security/credentials.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/rpc/tls_files.h"

namespace slipway {
namespace {

constexpr size_t kMaxToken = 4096;

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

absl::StatusOr<std::string> Content(const std::string& file) {
  if (file.empty()) return "";
  absl::StatusOr<std::string> content = ReadFile(file);
  if (!content.ok()) return Usage(content.status());
  return content;
}

}  // namespace

absl::Status CheckSecurity(const Address& address, const ChannelSecurity& security) {
  const std::string& token = security.token;
  if (token.size() > kMaxToken || std::any_of(token.begin(), token.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return Usage(
        InvalidArgument("the token is none: it has spaces, line breaks or other characters that no token has"));
  }
  if (!token.empty() && !security.UsesTls() && !security.insecure && !address.IsLocal()) {
    return Usage(InvalidArgument(
        "the token would go to {} in plain text, for all between to read; name the certificate authority "
        "(--tls-ca FILE), take this machine's (--tls), or pass --insecure",
        address.ToString()));
  }
  if (!security.UsesTls()) return absl::OkStatus();
  return LoadTlsFiles(security.files, TlsSide::kClient).status();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(const ChannelSecurity& security) {
  if (!security.UsesTls()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, Content(security.files.ca));
  ASSIGN_OR_RETURN(options.pem_cert_chain, Content(security.files.certificate));
  ASSIGN_OR_RETURN(options.pem_private_key, Content(security.files.key));
  return grpc::SslCredentials(options);
}

}  // namespace slipway
