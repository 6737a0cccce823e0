// TLS and tokens on connections. gRPC's own types appear only as pointers here.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/address.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace slipway {

// PEM files.
struct TlsFiles {
  std::string certificate;  // our own, then those between it and its root; with its key, or neither
  std::string key;
  std::string ca;  // who must have signed the other side's certificate

  bool operator==(const TlsFiles&) const = default;
};

// What a client does to be let in, and to know whom it talks to. Unix sockets are never encrypted.
struct ChannelSecurity {
  bool tls = false;  // also when any file is named
  TlsFiles files;    // without `ca`: the machine's certificate authorities
  std::string token;
  bool insecure = false;  // the token may cross other machines' networks in plain text

  bool UsesTls() const { return tls || !(files == TlsFiles{}); }
};

// INVALID_ARGUMENT or NOT_FOUND (usage): a file is none, a certificate without its key or with another's, a token that no
// header can carry, or a token that would leave this machine in plain text. No error says anything of the token.
absl::Status CheckSecurity(const Address& address, const ChannelSecurity& security);

// Of security that CheckSecurity takes; the files are read now.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(const ChannelSecurity& security);

// For a server that shows files.certificate. With files.ca a caller must show a certificate signed by it. Files that have
// changed are read again at the next handshake; while they are of no use (a certificate still without its new key), the
// earlier ones stay, which is logged. INVALID_ARGUMENT or NOT_FOUND (usage) as above.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTlsCredentials(const TlsFiles& files);

// Why no connection comes about, by trying one: "" when nothing is wrong by now or nothing could be learned, else one line that says what to do:
// the server speaks TLS and we do not, or the other way round; its certificate is signed by somebody else, expired, or another host's; it wants a
// certificate of ours, or not this one. Blocks until `deadline` at most.
std::string WhyNotConnected(const Address& address, const ChannelSecurity& security, absl::Time deadline);

}  // namespace slipway
