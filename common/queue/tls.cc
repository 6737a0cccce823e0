#include "common/queue/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/error.h"
#include "common/base/log.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

struct SslDeleter {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslDeleter>;

// The oldest error of this thread's queue, which is then empty.
std::string OpenSslReason(std::string_view otherwise) {
  const unsigned long error = ::ERR_get_error();
  ::ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ::ERR_reason_error_string(error);
  return reason == nullptr ? std::string(otherwise) : reason;
}

// OpenSSL's own socket BIO raises SIGPIPE.
int BioFd(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(::BIO_get_data(bio))); }

int BioSend(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(BioFd(bio), bytes, size, MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int BioReceive(BIO* bio, char* buffer, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t received = ::recv(BioFd(bio), buffer, size, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(received);
}

long BioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* MakeBio(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    ::BIO_meth_set_write(made, &BioSend);
    ::BIO_meth_set_read(made, &BioReceive);
    ::BIO_meth_set_ctrl(made, &BioControl);
    return made;
  }();
  BIO* bio = ::BIO_new(method);
  ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  ::BIO_set_init(bio, 1);
  return bio;
}

// Alerts by which a server says that it does not want our certificate, or lacks one.
bool RefusesOurs(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return true;
    default:
      return false;
  }
}

// What went wrong when OpenSSL gave `result`, unless it only waits for the peer.
absl::Status Failure(SSL* ssl, int result, int error_number) {
  switch (::SSL_get_error(ssl, result)) {
    case SSL_ERROR_ZERO_RETURN:
      return Unavailable("Redis: it closed the connection");
    case SSL_ERROR_SYSCALL:
      if (::ERR_peek_error() != 0) break;
      if (result == 0 || error_number == 0) return Unavailable("Redis: it closed the connection");
      return Unavailable("Redis: TLS: {}", std::strerror(error_number));
    default:
      break;
  }
  if (RefusesOurs(::ERR_peek_error())) {
    return FailedPrecondition("Redis refuses our certificate, or wants one (--redis-tls-cert, --redis-tls-key): {}",
                              OpenSslReason("TLS"));
  }
  return Unavailable("Redis: TLS: {}", OpenSslReason("it broke off"));
}

class TlsStream final : public Stream {
 public:
  TlsStream(UniqueFd socket, Ssl ssl) : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

  absl::Status Handshake(absl::Time deadline) {
    return Do([&] { return ::SSL_connect(ssl_.get()); }, deadline).status();
  }
  absl::Status SendAll(std::string_view bytes, absl::Time deadline) override {
    while (!bytes.empty()) {
      const int most = static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20));
      ASSIGN_OR_RETURN(const int sent, Do([&] { return ::SSL_write(ssl_.get(), bytes.data(), most); }, deadline));
      bytes.remove_prefix(sent);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<size_t> ReceiveSome(char* buffer, size_t size, absl::Time deadline) override {
    ASSIGN_OR_RETURN(const int received,
                     Do([&] { return ::SSL_read(ssl_.get(), buffer, static_cast<int>(size)); }, deadline));
    return static_cast<size_t>(received);
  }
  int fd() const override { return socket_.get(); }

 private:
  template <typename Step>
  absl::StatusOr<int> Do(const Step& step, absl::Time deadline) {
    while (true) {
      ::ERR_clear_error();  // libraries beside us may have left theirs
      errno = 0;
      const int result = step();
      if (result > 0) return result;
      const int error_number = errno;
      const int what = ::SSL_get_error(ssl_.get(), result);
      if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE) return Failure(ssl_.get(), result, error_number);
      RETURN_IF_ERROR(PollUntil(socket_.get(), what == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline));
    }
  }

  UniqueFd socket_;
  Ssl ssl_;
};

absl::Status Unusable(std::string_view flag, const std::string& file) {
  const bool readable = ::access(file.c_str(), R_OK) == 0;
  const std::string why = readable ? OpenSslReason("it is of no use") : std::strerror(errno);
  return WithKind(InvalidArgument("{} {}: {}; name a PEM file that this user can read", flag, file, why),
                  ErrorKind::kUsage);
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> Load(const RedisTls& options) {
  ::ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free);
  if (context == nullptr) return Internal("TLS: {}", OpenSslReason("no memory"));
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (options.ca.empty()) {
    ::SSL_CTX_set_default_verify_paths(context.get());
  } else if (::SSL_CTX_load_verify_file(context.get(), options.ca.c_str()) != 1) {
    return Unusable("--redis-tls-ca", options.ca);
  }
  if (options.certificate.empty()) return context;
  if (::SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1)
    return Unusable("--redis-tls-cert", options.certificate);
  if (::SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Unusable("--redis-tls-key", options.key);
  return context;
}

bool IsIpAddress(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

absl::StatusOr<std::shared_ptr<TlsContext>> TlsContext::Create(const RedisTls& options) {
  if (options.certificate.empty() != options.key.empty())
    return WithKind(InvalidArgument("--redis-tls-cert and --redis-tls-key belong together"), ErrorKind::kUsage);
  std::shared_ptr<TlsContext> made(new TlsContext(options));
  made->times_ = made->Times();
  ASSIGN_OR_RETURN(made->context_, Load(options));
  return made;
}

std::vector<fs::file_time_type> TlsContext::Times() const {
  std::vector<fs::file_time_type> times;
  for (const std::string* file : {&options_.ca, &options_.certificate, &options_.key}) {
    std::error_code error;
    times.push_back(file->empty() ? fs::file_time_type() : fs::last_write_time(*file, error));
  }
  return times;
}

std::shared_ptr<SSL_CTX> TlsContext::Current() {
  std::vector<fs::file_time_type> times = Times();
  std::lock_guard lock(mutex_);
  if (times == times_) return context_;
  absl::StatusOr<std::shared_ptr<SSL_CTX>> loaded = Load(options_);
  if (!loaded.ok()) {
    // Half of a change, perhaps; the next connection looks again.
    LogWarning("the certificates for Redis stay as they were", {{"reason", Message(loaded.status())}});
    return context_;
  }
  times_ = std::move(times);
  return context_ = *std::move(loaded);
}

absl::StatusOr<std::unique_ptr<Stream>> TlsContext::Encrypt(UniqueFd socket, const std::string& host,
                                                            absl::Time deadline) {
  const std::shared_ptr<SSL_CTX> context = Current();
  const std::string& name = options_.server_name.empty() ? host : options_.server_name;
  Ssl ssl(::SSL_new(context.get()));
  if (ssl == nullptr) return Internal("TLS: {}", OpenSslReason("no memory"));
  BIO* bio = MakeBio(socket.get());
  ::SSL_set_bio(ssl.get(), bio, bio);
  bool named = true;
  if (IsIpAddress(name)) {
    named = ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl.get()), name.c_str()) == 1;
  } else {
    ::SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    named = ::SSL_set1_host(ssl.get(), name.c_str()) == 1 && SSL_set_tlsext_host_name(ssl.get(), name.c_str()) == 1;
  }
  if (!named) return InvalidArgument("TLS: \"{}\" is no name of a server", name);
  SSL* const handle = ssl.get();
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(ssl));
  const absl::Status status = stream->Handshake(deadline);
  if (const long verified = ::SSL_get_verify_result(handle); !status.ok() && verified != X509_V_OK) {
    return FailedPrecondition("Redis at {}: its certificate is refused: {} (--redis-tls-ca, --redis-tls-name)", name,
                              ::X509_verify_cert_error_string(verified));
  }
  if (absl::IsDeadlineExceeded(status))
    return Unavailable("Redis: TLS: no answer in time; is this the port that is encrypted?");
  RETURN_IF_ERROR(status);
  return stream;
}

}  // namespace slipway
