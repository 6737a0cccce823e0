// A handshake of our own, step by step, where gRPC only says that there is no connection.
#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/rpc/security.h"
#include "common/rpc/tls_files.h"

namespace slipway {
namespace {

constexpr absl::Duration kLeast = absl::Milliseconds(500);
constexpr unsigned char kAlpn[] = {2, 'h', '2'};

// Invalid: nobody takes connections there, which is not ours to explain.
UniqueFd Connect(const Address& address, absl::Duration patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) return UniqueFd();
  UniqueFd socket;
  const timeval timeout = absl::ToTimeval(patience);
  for (const addrinfo* place = found; place != nullptr && !socket.valid(); place = place->ai_next) {
    UniqueFd candidate(::socket(place->ai_family, place->ai_socktype | SOCK_CLOEXEC, place->ai_protocol));
    if (!candidate.valid()) continue;
    setsockopt(candidate.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    setsockopt(candidate.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (connect(candidate.get(), place->ai_addr, place->ai_addrlen) == 0) socket = std::move(candidate);
  }
  freeaddrinfo(found);
  return socket;
}

// TLS over a socket that may be closed at any time (OpenSSL's own writes would raise SIGPIPE).
class Handshake {
 public:
  Handshake(SSL_CTX* context, int socket) : ssl_(SSL_new(context)), socket_(socket) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_alpn_protos(ssl_.get(), kAlpn, sizeof(kAlpn));
  }
  SSL* ssl() { return ssl_.get(); }
  bool got_bytes() const { return got_bytes_; }

  // Whether the handshake succeeds.
  bool Run() {
    return Drive([this] { return SSL_connect(ssl_.get()); });
  }
  // Whether the server says something after it. One that refuses our certificate closes instead.
  bool Hear() {
    char byte;
    return Drive([this, &byte] { return SSL_read(ssl_.get(), &byte, 1); });
  }

 private:
  template <typename Step>
  bool Drive(const Step& step) {
    char buffer[16384];
    while (true) {
      ERR_clear_error();
      const int result = step();
      const int error = SSL_get_error(ssl_.get(), result);
      for (int n; (n = BIO_read(SSL_get_wbio(ssl_.get()), buffer, sizeof(buffer))) > 0;) {
        if (send(socket_, buffer, static_cast<size_t>(n), MSG_NOSIGNAL) != n) return false;
      }
      if (result > 0) return true;
      if (error != SSL_ERROR_WANT_READ) return false;
      const ssize_t n = recv(socket_, buffer, sizeof(buffer), 0);
      if (n <= 0) return false;
      got_bytes_ = true;
      BIO_write(SSL_get_rbio(ssl_.get()), buffer, static_cast<int>(n));
    }
  }

  const SslConnection ssl_;
  const int socket_;
  bool got_bytes_ = false;
};

std::string TimeText(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "some time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min);
}

std::string NameText(const X509_NAME* name) {
  char text[256] = "";
  X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof(text));
  return *text == '\0' ? "an authority without a name" : "\"" + std::string(text) + "\"";
}

// The names that a certificate is for, as many as fit in a line.
std::string HostsOf(X509* certificate) {
  std::string hosts;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < 8; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (name->type == GEN_DNS) {
      const ASN1_STRING* dns = name->d.dNSName;
      text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(dns)), ASN1_STRING_length(dns));
    } else if (name->type == GEN_IPADD) {
      char ip[INET6_ADDRSTRLEN] = "";
      const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), ip, sizeof(ip));
      text = ip;
    }
    if (!text.empty()) hosts += (hosts.empty() ? "" : ", ") + text;
  }
  GENERAL_NAMES_free(names);
  return hosts.empty() ? "no host" : hosts;
}

std::string BadCertificate(long verdict, X509* certificate, const Address& address, const ChannelSecurity& security) {
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("its certificate is for {}, not for {}: name the farm as its certificate does",
                         HostsOf(certificate), address.host);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("its certificate expired at {}: the farm's keeper must renew it",
                         TimeText(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("its certificate is valid from {} on: is this machine's clock right?",
                         TimeText(X509_get0_notBefore(certificate)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return fmt::format(
          "its certificate is signed by {}, whom {} not know: name the farm's certificate authority with "
          "--tls-ca",
          NameText(X509_get_issuer_name(certificate)),
          security.files.ca.empty() ? "this machine's authorities do" : security.files.ca + " does");
    default:
      return fmt::format("its certificate is not valid: {}", X509_verify_cert_error_string(verdict));
  }
}

}  // namespace

std::string WhyNotConnected(const Address& address, const ChannelSecurity& security, absl::Time deadline) {
  if (address.is_unix()) return "";
  const absl::StatusOr<SslContext> context = LoadTlsFiles(security.files, TlsSide::kClient);
  if (!context.ok()) return Message(context.status());
  const UniqueFd socket = Connect(address, std::max(deadline - absl::Now(), kLeast));
  if (!socket.valid()) return "";
  Handshake handshake(context->get(), socket.get());
  const auto spoke_tls = [&] { return ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET; };  // an alert
  if (!security.UsesTls()) {
    return handshake.Run() || spoke_tls()
               ? "it speaks TLS: name its certificate authority (--tls-ca FILE), or take this machine's (--tls)"
               : "";
  }
  // The certificate is judged, but the handshake goes on, so that it is there to be told of. Nothing is sent afterwards.
  SSL_set_verify(handshake.ssl(), SSL_VERIFY_NONE, nullptr);
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handshake.ssl()), address.host.c_str()) != 1) {
    SSL_set1_host(handshake.ssl(), address.host.c_str());
    SSL_set_tlsext_host_name(handshake.ssl(), address.host.c_str());
  }
  const bool shook = handshake.Run();
  const bool alert = !shook && spoke_tls();
  X509* certificate = SSL_get0_peer_certificate(handshake.ssl());
  const long verdict = SSL_get_verify_result(handshake.ssl());
  if (certificate != nullptr && verdict != X509_V_OK) return BadCertificate(verdict, certificate, address, security);
  if (shook && handshake.Hear()) return "";
  if (shook || alert) {
    const std::string& ours = security.files.certificate;
    return ours.empty() ? "it wants a certificate of its callers: name yours with --tls-cert and --tls-key"
                        : "it does not take " + ours + ": signed by somebody it does not know, or expired";
  }
  return "it does not speak TLS: leave out --tls and its like, if plain text is what you want";
}

}  // namespace slipway
