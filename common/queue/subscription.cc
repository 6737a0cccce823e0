#include "common/queue/subscription.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/queue/pool.h"
#include "common/queue/socket.h"

namespace slipway {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr int kLook = 1000;  // ms

bool IsMessage(const redisReply* reply) {
  auto elements = Elements(reply);
  return elements.size() == 3 && Text(elements[0]) == "message";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> OpenChannel(const Endpoint& endpoint, const std::string& channel,
                                                        absl::Time deadline) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connection::Open(endpoint, deadline));
  // The reply comes when the server has us on its list.
  RETURN_IF_ERROR(connection->Call(std::vector<std::string>{"SUBSCRIBE", channel}, deadline).status());
  return connection;
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(Endpoint endpoint, std::string channel, Callback callback) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                   OpenChannel(endpoint, channel, absl::Now() + kConnectTimeout));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return ErrnoStatus(errno, "eventfd");
  std::unique_ptr<Listener> listener(
      new Listener(std::move(endpoint), std::move(channel), std::move(callback), std::move(stop)));
  listener->thread_ =
      std::thread([self = listener.get(), first = std::move(connection)]() mutable { self->Loop(std::move(first)); });
  return listener;
}

Listener::Listener(Endpoint endpoint, std::string channel, Callback callback, UniqueFd stop)
    : endpoint_(std::move(endpoint)),
      channel_(std::move(channel)),
      callback_(std::move(callback)),
      stop_(std::move(stop)) {}

Listener::~Listener() {
  uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof(one)) < 0) LogError("eventfd", {});
  if (thread_.joinable()) thread_.join();
}

void Listener::Loop(std::unique_ptr<Connection> connection) {
  Random jitter(std::stoull(RandomHex(8), nullptr, 16));
  int failures = 0;
  while (true) {
    if (connection != nullptr) {
      failures = 0;
      if (!Listen(*connection)) return;
    }
    if (!Pause(ReconnectDelay(failures++, jitter))) return;
    absl::StatusOr<std::unique_ptr<Connection>> opened =
        OpenChannel(endpoint_, channel_, absl::Now() + kConnectTimeout);
    connection = opened.ok() ? *std::move(opened) : nullptr;
  }
}

bool Listener::Listen(Connection& connection) {
  while (true) {
    absl::StatusOr<Reply> reply = connection.Receive(absl::InfinitePast());
    if (reply.ok()) {
      if (IsMessage(reply->get())) callback_(std::string(Text(Elements(reply->get())[2])));
      continue;
    }
    if (reply.status().code() != absl::StatusCode::kDeadlineExceeded) return true;
    pollfd entries[] = {{connection.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    // Now and then it looks whether the connection has become outdated.
    if (::poll(entries, 2, kLook) < 0 && errno != EINTR) return true;
    if (entries[1].revents != 0) return false;
  }
}

bool Listener::Pause(absl::Duration delay) {
  return PollUntil(stop_.get(), POLLIN, absl::Now() + delay).code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace slipway
