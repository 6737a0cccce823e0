#include "common/queue/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace slipway {
namespace {

absl::Status Lost(std::string_view what, int error_number) {
  return Unavailable("Redis: {}: {}", what, std::strerror(error_number));
}

absl::Status FinishConnect(int fd, const sockaddr* address, socklen_t size, absl::Time deadline) {
  if (::connect(fd, address, size) == 0) return absl::OkStatus();
  if (errno != EINPROGRESS && errno != EINTR) return Lost("connect", errno);
  if (!PollUntil(fd, POLLOUT, deadline).ok()) return Lost("connect", ETIMEDOUT);
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error == 0 ? absl::OkStatus() : Lost("connect", error);
}

class PlainStream final : public Stream {
 public:
  explicit PlainStream(UniqueFd socket) : socket_(std::move(socket)) {}

  absl::Status SendAll(std::string_view bytes, absl::Time deadline) override {
    while (!bytes.empty()) {
      ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(sent);
      } else if (errno == EAGAIN) {
        RETURN_IF_ERROR(PollUntil(socket_.get(), POLLOUT, deadline));
      } else if (errno != EINTR) {
        return Lost("send", errno);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> ReceiveSome(char* buffer, size_t size, absl::Time deadline) override {
    while (true) {
      ssize_t received = ::recv(socket_.get(), buffer, size, 0);
      if (received > 0) return static_cast<size_t>(received);
      if (received == 0) return Unavailable("Redis: it closed the connection");
      if (errno == EAGAIN) {
        RETURN_IF_ERROR(PollUntil(socket_.get(), POLLIN, deadline));
      } else if (errno != EINTR) {
        return Lost("receive", errno);
      }
    }
  }

  int fd() const override { return socket_.get(); }

 private:
  UniqueFd socket_;
};

}  // namespace

absl::StatusOr<UniqueFd> ConnectUnix(const std::string& path, absl::Time deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return InvalidArgument("{}: longer than the {} bytes of a Unix socket's path", path, sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "socket");
  absl::Status connected = FinishConnect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address), deadline);
  if (!connected.ok()) return Annotate(connected, path);
  return fd;
}

absl::StatusOr<UniqueFd> ConnectTcp(const std::string& host, const std::string& port, absl::Time deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return Unavailable("Redis: {}:{}: {}", host, port, gai_strerror(error));
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  absl::Status last = Unavailable("Redis: {}:{}: no address", host, port);
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    UniqueFd fd(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol));
    if (!fd.valid()) return ErrnoStatus(errno, "socket");
    last = FinishConnect(fd.get(), address->ai_addr, address->ai_addrlen, deadline);
    if (!last.ok()) continue;
    // A peer that vanished without a word is noticed within half a minute, also by those who only listen.
    const int one = 1, idle = 10, interval = 5, count = 4;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    return fd;
  }
  return Annotate(last, fmt::format("{}:{}", host, port));
}

absl::Status PollUntil(int fd, short events, absl::Time deadline) {
  while (true) {
    pollfd entry{fd, events, 0};
    absl::Duration left = std::max(deadline - SteadyNow(), absl::ZeroDuration());
    int timeout = left > absl::Hours(1) ? 3'600'000 : static_cast<int>(std::ceil(absl::ToDoubleMilliseconds(left)));
    int ready = ::poll(&entry, 1, timeout);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready == 0 && SteadyNow() >= deadline) return DeadlineExceeded("Redis has not answered in time");
  }
}

std::unique_ptr<Stream> MakePlainStream(UniqueFd socket) { return std::make_unique<PlainStream>(std::move(socket)); }

}  // namespace slipway
