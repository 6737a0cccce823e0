// Which of many requests change, heard over one connection.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/queue/connection.h"
#include "common/queue/queue.h"
#include "common/queue/subscription.h"

namespace slipway {

// All I/O is on a thread of its own, which connects with the first request that is followed and again, with backoff,
// whenever the connection is lost.
class RedisChanges final : public Changes {
 public:
  // `channels` begins the name of each request's channel.
  RedisChanges(Endpoint endpoint, std::string channels, OnChange on_change);
  ~RedisChanges() override;

  absl::Status Follow(const std::string& request) override;
  void Unfollow(const std::string& request) override;

 private:
  struct Followed {
    int followers = 0;
    bool heard = false;   // the server has us on the list of its channel
    bool missed = false;  // it was heard over a connection that was lost
  };

  void Run();
  // Until there is something to follow, or it must end (false).
  bool AwaitWork();
  std::unique_ptr<Connection> Connect();
  // Until the connection is lost, or it must end.
  void Serve(Connection& connection);
  absl::Status Send(Connection& connection);
  // All that has arrived; `changed` are the requests that it names.
  absl::Status Drain(Listening& listening, std::set<std::string>& changed);
  bool Confirm(const std::string& request);  // a SUBSCRIBE was answered; whether something may have been missed
  void TellAll();
  bool Stopping();
  void Signal();
  void Pause(absl::Duration delay);

  const Endpoint endpoint_;
  const std::string channels_;
  const OnChange on_change_;
  const UniqueFd wake_;  // eventfd: there is something to send, or to end for

  std::mutex mutex_;
  std::condition_variable answered_;
  std::map<std::string, Followed> followed_;
  std::vector<std::pair<bool, std::string>> orders_;  // to send: subscribe or not, request
  std::map<std::string, int> unanswered_;             // SUBSCRIBEs of a request that were ordered and not answered
  uint64_t failures_ = 0;                             // to connect
  absl::Status failure_;                              // the last
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace slipway
