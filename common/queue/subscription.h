// Publications of Redis.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/queue/connection.h"

namespace slipway {

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
