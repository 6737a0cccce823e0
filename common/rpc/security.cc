#include "common/rpc/security.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/rpc/tls_files.h"

namespace slipway {
namespace {

constexpr unsigned kReloadSeconds = 1;
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
  return LoadTlsFiles(security.files).status();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(const ChannelSecurity& security) {
  if (!security.UsesTls()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, Content(security.files.ca));
  ASSIGN_OR_RETURN(options.pem_cert_chain, Content(security.files.certificate));
  ASSIGN_OR_RETURN(options.pem_private_key, Content(security.files.key));
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTlsCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(LoadTlsFiles(files).status());
  if (files.certificate.empty()) {
    return Usage(InvalidArgument("TLS needs a certificate: name it and its key, --tls-cert and --tls-key"));
  }
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(files.key, files.certificate, files.ca,
                                                                           kReloadSeconds));
  options.watch_identity_key_cert_pairs();
  if (!files.ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace slipway
