#include "common/rpc/tls_files.h"

#include <openssl/err.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

absl::Status Unusable(std::string_view flag, const std::string& file, std::string_view what) {
  return Usage(InvalidArgument("{} {}: {} ({})", flag, file, what, OpenSslReason()));
}

absl::Status CheckReadable(std::string_view flag, const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  const absl::Status status = ReadFile(file).status();
  if (status.ok()) return status;
  return Usage(absl::Status(status.code(), fmt::format("{}: {}; name a PEM file that this user (id {}) can read", flag,
                                                       Message(status), geteuid())));
}

}  // namespace

std::string OpenSslReason() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(error);
  std::string text = reason != nullptr ? reason : "no reason given";
  ERR_clear_error();
  return text;
}

absl::StatusOr<SslContext> LoadTlsFiles(const TlsFiles& files, TlsSide side) {
  const auto& [certificate, key, ca] = files;
  const std::string_view ca_flag = side == TlsSide::kServer ? "--tls-client-ca" : "--tls-ca";
  if (certificate.empty() != key.empty()) {
    return Usage(
        InvalidArgument("{} {}: a TLS certificate goes with its key: name both, --tls-cert and --tls-key, or "
                        "neither",
                        key.empty() ? "--tls-cert" : "--tls-key", key.empty() ? certificate : key));
  }
  RETURN_IF_ERROR(CheckReadable("--tls-cert", certificate));
  RETURN_IF_ERROR(CheckReadable("--tls-key", key));
  RETURN_IF_ERROR(CheckReadable(ca_flag, ca));
  ERR_clear_error();
  SslContext context(SSL_CTX_new(TLS_method()));
  // An encrypted key would be asked for on the terminal.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
  if (!certificate.empty()) {
    // The key first: with a certificate already there OpenSSL would refuse another's key like a broken one.
    if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
      return Unusable("--tls-key", key,
                      "no unencrypted key in PEM form, which begins with -----BEGIN PRIVATE KEY-----");
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
      return Unusable("--tls-cert", certificate,
                      "no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----");
    }
    if (SSL_CTX_check_private_key(context.get()) != 1) {
      ERR_clear_error();
      return Usage(InvalidArgument(
          "--tls-key {}: not the key of the first certificate in --tls-cert {}; name two that were made for each other",
          key, certificate));
    }
  }
  const int loaded = ca.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                : SSL_CTX_load_verify_file(context.get(), ca.c_str());
  if (loaded != 1)
    return Unusable(ca_flag, ca, "no certificates in PEM form, which begin with -----BEGIN CERTIFICATE-----");
  return context;
}

}  // namespace slipway
