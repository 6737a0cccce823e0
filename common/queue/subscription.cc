#include "common/queue/subscription.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/queue/pool.h"
#include "common/queue/socket.h"

namespace slipway {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kAskAfter = absl::Seconds(1);
constexpr absl::Duration kSilence = absl::Seconds(3);
constexpr int kLook = 1000;  // ms

bool IsMessage(const redisReply* reply) {
  auto elements = Elements(reply);
  return elements.size() == 3 && Text(elements[0]) == "message";
}

}  // namespace

absl::StatusOr<Reply> Listening::Next() {
  absl::StatusOr<Reply> reply = connection_.Receive(absl::InfinitePast());
  const absl::Time now = SteadyNow();
  if (reply.status().code() != absl::StatusCode::kDeadlineExceeded) {
    heard_ = now;
    asked_ = false;
    return reply;
  }
  if (now - heard_ >= kSilence && asked_) return Unavailable("Redis: it has fallen silent");
  if (now - heard_ >= kAskAfter && !std::exchange(asked_, true)) {
    RETURN_IF_ERROR(connection_.Send(std::vector<std::string>{"PING"}, now + kSilence));
  }
  return Reply();
}

bool Listening::Await(int other) {
  pollfd entries[] = {{connection_.fd(), POLLIN, 0}, {other, POLLIN, 0}};
  return ::poll(entries, 2, kLook) > 0 && entries[1].revents != 0;
}

absl::StatusOr<std::unique_ptr<Connection>> OpenChannel(const Endpoint& endpoint, const std::string& channel,
                                                        absl::Time deadline) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connection::Open(endpoint, deadline));
  // The reply comes when the server has us on its list.
  RETURN_IF_ERROR(connection->Call(std::vector<std::string>{"SUBSCRIBE", channel}, deadline).status());
  return connection;
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(Endpoint endpoint, std::string channel, Callback callback) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                   OpenChannel(endpoint, channel, SteadyNow() + kConnectTimeout));
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
        OpenChannel(endpoint_, channel_, SteadyNow() + kConnectTimeout);
    connection = opened.ok() ? *std::move(opened) : nullptr;
  }
}

bool Listener::Listen(Connection& connection) {
  Listening listening(connection);
  while (true) {
    const absl::StatusOr<Reply> reply = listening.Next();
    if (!reply.ok()) return true;
    if (*reply == nullptr) {
      if (listening.Await(stop_.get())) return false;
    } else if (IsMessage(reply->get())) {
      callback_(std::string(Text(Elements(reply->get())[2])));
    }
  }
}

bool Listener::Pause(absl::Duration delay) {
  return PollUntil(stop_.get(), POLLIN, SteadyNow() + delay).code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace slipway
