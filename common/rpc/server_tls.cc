// A server's TLS whose files are looked at before each handshake: new ones count from then on if they are of use, else the
// earlier ones stay. (gRPC's own file watcher takes whatever it finds, a certificate with another's key too, and then
// answers nobody.)
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <mutex>
#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/file_stamp.h"
#include "common/base/log.h"
#include "common/rpc/security.h"
#include "common/rpc/tls_files.h"

namespace slipway {
namespace {

using Stamps = std::vector<FileStamp>;

absl::StatusOr<Stamps> StampsOf(const TlsFiles& files) {
  Stamps stamps;
  for (const std::string* file : {&files.certificate, &files.key, &files.ca}) {
    if (file->empty()) continue;
    ASSIGN_OR_RETURN(stamps.emplace_back(), StampOf(*file));
  }
  return stamps;
}

// The files of one address. gRPC asks for them in turns.
class Reloaded {
 public:
  explicit Reloaded(TlsFiles files) : files_(std::move(files)) {}

  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config) {
    const absl::StatusOr<Stamps> stamps = StampsOf(files_);
    if (stamps.ok() && *stamps == stamps_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const absl::StatusOr<grpc_ssl_server_certificate_config*> read = stamps.ok() ? Read(*stamps) : stamps.status();
    if (!read.ok()) {
      if (Message(read.status()) != complaint_)
        LogError("TLS files not read; the earlier ones stay", {{"reason", Message(read.status())}});
      complaint_ = Message(read.status());
      return stamps_.empty() ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    if (!stamps_.empty()) LogInfo("TLS files read", {{"certificate", files_.certificate}});
    complaint_.clear();
    stamps_ = *stamps;
    *config = *read;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

 private:
  absl::StatusOr<grpc_ssl_server_certificate_config*> Read(const Stamps& stamps) const {
    RETURN_IF_ERROR(LoadTlsFiles(files_, TlsSide::kServer).status());
    ASSIGN_OR_RETURN(const std::string certificate, ReadFile(files_.certificate));
    ASSIGN_OR_RETURN(const std::string key, ReadFile(files_.key));
    // gRPC insists on some, even where nobody is asked for a certificate.
    ASSIGN_OR_RETURN(const std::string ca, ReadFile(files_.ca.empty() ? files_.certificate : files_.ca));
    // What was read is what was checked.
    ASSIGN_OR_RETURN(const Stamps now, StampsOf(files_));
    if (now != stamps) return Unavailable("{} and its like change just now", files_.certificate);
    const grpc_ssl_pem_key_cert_pair pair{key.c_str(), certificate.c_str()};
    return grpc_ssl_server_certificate_config_create(ca.c_str(), &pair, 1);
  }

  const TlsFiles files_;
  Stamps stamps_;  // of what is in use
  std::string complaint_;
};

// gRPC never says when it asks for the last time, so nothing that it asks is ever destroyed: one a listening address.
Reloaded& KeepForEver(const TlsFiles& files) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<Reloaded>>();
  std::lock_guard lock(mutex);
  return *kept.emplace_back(std::make_unique<Reloaded>(files));
}

class ReloadedCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadedCredentials(const TlsFiles& files) : files_(files) {}
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* const credentials =
        grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
            files_.ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                              : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
            [](void* reloaded, grpc_ssl_server_certificate_config** config) {
              return static_cast<Reloaded*>(reloaded)->Fetch(config);
            },
            &KeepForEver(files_)));
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  const TlsFiles files_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTlsCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(LoadTlsFiles(files, TlsSide::kServer).status());
  if (files.certificate.empty()) {
    return WithKind(
        InvalidArgument(
            "--tls-client-ca {}: TLS needs a certificate of this server: name it and its key, --tls-cert and --tls-key",
            files.ca),
        ErrorKind::kUsage);
  }
  return std::make_shared<ReloadedCredentials>(files);
}

}  // namespace slipway
