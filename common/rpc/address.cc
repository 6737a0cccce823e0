#include "common/rpc/address.h"

#include <cctype>
#include <charconv>

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr size_t kMaxUnixPath = 107;  // sockaddr_un::sun_path without its final NUL

// gRPC reads "unix:…" as a URI.
std::string PercentEncoded(std::string_view path) {
  std::string encoded;
  for (unsigned char c : path) {
    if (std::isalnum(c) || std::string_view("/-._~").find(static_cast<char>(c)) != std::string_view::npos) {
      encoded += static_cast<char>(c);
    } else {
      encoded += fmt::format("%{:02X}", c);
    }
  }
  return encoded;
}

absl::Status NotAnAddress(std::string_view text, std::string_view why) {
  return WithKind(InvalidArgument("\"{}\" is no address: {}; write HOST:PORT or unix:/PATH", text, why),
                  ErrorKind::kUsage);
}

}  // namespace

absl::StatusOr<Address> Address::Parse(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    address.path = text.substr(5);
    if (address.path.empty()) return NotAnAddress(text, "the socket's path is missing");
    if (address.path.size() > kMaxUnixPath) {
      return NotAnAddress(text, fmt::format("the kernel takes socket paths of at most {} bytes", kMaxUnixPath));
    }
    if (address.path.find('\0') != std::string::npos) return NotAnAddress(text, "the path has a NUL");
    return address;
  }
  if (text.find("://") != std::string_view::npos) return NotAnAddress(text, "it needs no scheme (nor does TLS)");
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return NotAnAddress(text, "the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return NotAnAddress(text, "its bracket is not closed");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return NotAnAddress(text, "an IPv6 address goes in brackets, [::1]:9000");
  }
  if (host.empty()) return NotAnAddress(text, "the host is missing");
  for (unsigned char c : host) {
    if (!std::isalnum(c) && std::string_view("-._:%").find(static_cast<char>(c)) == std::string_view::npos) {
      return NotAnAddress(text, "the host has a character that no host name has");
    }
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || address.port < 0 || address.port > 65535) {
    return NotAnAddress(text, "the port is not a number from 0 to 65535");
  }
  address.host = host;
  return address;
}

bool Address::IsLocal() const { return is_unix() || host == "localhost" || host == "::1" || host.starts_with("127."); }

std::string Address::ToString() const {
  if (is_unix()) return "unix:" + path;
  return host.find(':') != std::string::npos ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string Address::ListenTarget() const { return is_unix() ? "unix:" + PercentEncoded(path) : ToString(); }

std::string Address::ConnectTarget() const { return is_unix() ? ListenTarget() : "dns:///" + ToString(); }

}  // namespace slipway
