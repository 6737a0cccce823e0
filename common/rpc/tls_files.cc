#include "common/rpc/tls_files.h"

#include <openssl/err.h>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

absl::Status Unusable(const std::string& file, std::string_view what) {
  return Usage(InvalidArgument("{}: {} ({})", file, what, OpenSslReason()));
}

absl::Status CheckReadable(const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  return Usage(ReadFile(file).status());
}

}  // namespace

std::string OpenSslReason() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(error);
  std::string text = reason != nullptr ? reason : "no reason given";
  ERR_clear_error();
  return text;
}

absl::StatusOr<SslContext> LoadTlsFiles(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return Usage(
        InvalidArgument("a TLS certificate goes with its key: name both, --tls-cert and --tls-key, or neither"));
  }
  for (const std::string* file : {&files.certificate, &files.key, &files.ca}) RETURN_IF_ERROR(CheckReadable(*file));
  ERR_clear_error();
  SslContext context(SSL_CTX_new(TLS_method()));
  // An encrypted key would be asked for on the terminal.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
  if (!files.certificate.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1)
      return Unusable(files.certificate, "no certificate in PEM form");
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
      return Unusable(files.key, "not an unencrypted key in PEM form that fits " + files.certificate);
    if (SSL_CTX_check_private_key(context.get()) != 1)
      return Unusable(files.key, "not the key of " + files.certificate);
  }
  const int loaded = files.ca.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                      : SSL_CTX_load_verify_file(context.get(), files.ca.c_str());
  if (loaded != 1) return Unusable(files.ca, "no certificates in PEM form");
  return context;
}

}  // namespace slipway
