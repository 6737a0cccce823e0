// Publications of Redis.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/queue/connection.h"

namespace slipway {

// What a connection hears on which nothing else is asked. One that is quiet is asked for a sign of life, so that a server that vanished without
// a word is noticed within three seconds.
class Listening {
 public:
  explicit Listening(Connection& connection) : connection_(connection) {}
  // The next reply that has arrived; null: none has. UNAVAILABLE: the connection is lost, outdated or silent.
  absl::StatusOr<Reply> Next();
  // Until a reply may have arrived, `other` is readable (true) or it is time to call Next() again.
  bool Await(int other);

 private:
  Connection& connection_;
  absl::Time heard_ = SteadyNow();
  bool asked_ = false;  // since then
};

// A connection that hears `channel` from before this returns.
absl::StatusOr<std::unique_ptr<Connection>> OpenChannel(const Endpoint& endpoint, const std::string& channel,
                                                        absl::Time deadline);

// Calls back with every message of a channel, from a thread of its own, reconnecting for as long as it lives. What is
// published while it is not connected is missed.
class Listener {
 public:
  using Callback = std::function<void(const std::string& message)>;
  // Hears from before this returns; errors of OpenChannel.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(Endpoint endpoint, std::string channel, Callback callback);
  ~Listener();

 private:
  Listener(Endpoint endpoint, std::string channel, Callback callback, UniqueFd stop);
  void Loop(std::unique_ptr<Connection> connection);
  // False when it must end.
  bool Listen(Connection& connection);
  bool Pause(absl::Duration delay);

  const Endpoint endpoint_;
  const std::string channel_;
  const Callback callback_;
  UniqueFd stop_;  // eventfd: readable once the listener must end
  std::thread thread_;
};

}  // namespace slipway
