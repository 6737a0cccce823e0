#include "common/base/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace slipway {
namespace {

struct Header {
  uint32_t body_bytes;
  uint32_t fds;
};

absl::Status Gone(int error_number) {
  if (error_number == EPIPE || error_number == ECONNRESET) return Unavailable("the process at the other end has gone");
  return ErrnoStatus(error_number, "talk to another process");
}

}  // namespace

absl::StatusOr<std::pair<Channel, Channel>> Channel::CreatePair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return ErrnoStatus(errno, "make a socket pair");
  return std::pair(Channel(UniqueFd(ends[0])), Channel(UniqueFd(ends[1])));
}

absl::Status Channel::Send(std::string_view body, const std::vector<int>& fds) {
  if (body.size() > kMaxBody || fds.size() > kMaxFds) {
    return Internal("a frame of {} bytes and {} descriptors is over the limit", body.size(), fds.size());
  }
  Header header{static_cast<uint32_t>(body.size()), static_cast<uint32_t>(fds.size())};
  iovec parts[2] = {{&header, sizeof(header)}, {const_cast<char*>(body.data()), body.size()}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(item), fds.data(), sizeof(int) * fds.size());
  }
  size_t left = sizeof(header) + body.size();
  while (left > 0) {
    const ssize_t n = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Gone(errno);
    left -= static_cast<size_t>(n);
    message.msg_control = nullptr;  // descriptors went with the first bytes
    message.msg_controllen = 0;
    size_t skip = static_cast<size_t>(n);
    for (iovec& part : parts) {
      const size_t used = std::min(skip, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + used;
      part.iov_len -= used;
      skip -= used;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Frame> Channel::Receive(absl::Time deadline) {
  if (deadline != absl::InfiniteFuture()) {
    pollfd wait{socket_.get(), POLLIN, 0};
    for (;;) {
      const int64_t left =
          std::max<int64_t>(0, absl::ToInt64Milliseconds(deadline - SteadyNow() + absl::Microseconds(999)));
      const int ready = poll(&wait, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
      if (ready > 0) break;
      if (ready == 0 && SteadyNow() >= deadline) return DeadlineExceeded("no answer from another process in time");
      if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "wait for another process");
    }
  }
  Frame frame;
  Header header{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
  size_t got = 0;
  while (got < sizeof(header)) {
    iovec part{reinterpret_cast<char*>(&header) + got, sizeof(header) - got};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Gone(errno);
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
      if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
        frame.fds.emplace_back(fd);
      }
    }
    if (n == 0) {
      return got == 0 ? Unavailable("the process at the other end has gone")
                      : DataLoss("a message broke off in its header");
    }
    if (message.msg_flags & MSG_CTRUNC) return DataLoss("a message carried more descriptors than fit");
    got += static_cast<size_t>(n);
  }
  if (header.body_bytes > kMaxBody || header.fds != frame.fds.size()) {
    return DataLoss("a malformed message: {} bytes, {} descriptors announced, {} received", header.body_bytes,
                    header.fds, frame.fds.size());
  }
  frame.body.resize(header.body_bytes);
  for (size_t at = 0; at < frame.body.size();) {
    const ssize_t n = recv(socket_.get(), frame.body.data() + at, frame.body.size() - at, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Gone(errno);
    if (n == 0) return DataLoss("a message broke off after {} of {} bytes", at, frame.body.size());
    at += static_cast<size_t>(n);
  }
  return frame;
}

}  // namespace slipway
