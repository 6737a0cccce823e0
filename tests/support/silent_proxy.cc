#include "tests/support/silent_proxy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace slipway {
namespace {

// The head of a PING frame that asks: length 8, type 6, no flag, stream 0 (RFC 9113, 6.7).
constexpr std::string_view kPing("\0\0\x08\x06\0\0\0\0\0", 9);
constexpr int kLook = 10;  // ms

}  // namespace

SilentProxy::SilentProxy(std::string_view socket)
    : socket_(socket.substr(std::strlen("unix:"))), stop_(eventfd(0, EFD_CLOEXEC)) {
  listener_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_.get(), 16), 0);
  EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

SilentProxy::~SilentProxy() {
  const uint64_t one = 1;
  EXPECT_EQ(write(stop_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  thread_.join();
}

void SilentProxy::Silence(bool later_ones) {
  std::lock_guard lock(mutex_);
  silenced_.splice(silenced_.end(), pairs_);
  silent_ = later_ones;
}

void SilentProxy::Run() {
  while (true) {
    std::vector<pollfd> entries = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    {
      std::lock_guard lock(mutex_);
      for (const Pair& pair : pairs_) {
        entries.push_back({pair.client.get(), POLLIN, 0});
        entries.push_back({pair.server.get(), POLLIN, 0});
      }
    }
    poll(entries.data(), entries.size(), kLook);
    if (entries[0].revents != 0) return;
    std::lock_guard lock(mutex_);
    for (auto pair = pairs_.begin(); pair != pairs_.end();) {
      const bool open =
          Pass(pair->client.get(), pair->server.get(), true) && Pass(pair->server.get(), pair->client.get(), false);
      pair = open ? std::next(pair) : pairs_.erase(pair);
    }
    if (entries[1].revents != 0) Accept();
  }
}

void SilentProxy::Accept() {
  Pair pair;
  pair.client.Reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  pair.server.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_.c_str(), sizeof(address.sun_path) - 1);
  ++connections_;
  if (connect(pair.server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
  (silent_ ? silenced_ : pairs_).push_back(std::move(pair));
}

bool SilentProxy::Pass(int from, int to, bool from_client) {
  char buffer[1 << 16];
  const ssize_t size = recv(from, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  const std::string_view bytes(buffer, static_cast<size_t>(size));
  for (size_t at = bytes.find(kPing); from_client && at != bytes.npos; at = bytes.find(kPing, at + 1)) ++pings_;
  return send(to, buffer, bytes.size(), MSG_NOSIGNAL) == size;
}

}  // namespace slipway
