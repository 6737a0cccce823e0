// The sentinels of a replicated Redis: they know which server is the master.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/queue/endpoint.h"

struct redisReply;

namespace slipway {

class Connection;

// Thread-safe. Asks them in turn, and stays with one for as long as it answers. A thread of its own asks each second, so
// that a master which lost its place without a word is left as well. Every answer brings the others that this one knows:
// they are asked too, after those given, until an answer no longer has them.
class Sentinels {
 public:
  Sentinels(std::string master, std::vector<Endpoint> sentinels);
  ~Sentinels();

  struct Master {
    ServerAddress server;
    uint64_t changes;  // changes() when it was named
  };
  // UNAVAILABLE: no sentinel answers, or none knows a master of this name; FAILED_PRECONDITION, PERMISSION_DENIED: as
  // Connection::Dial has it of all of them. The message tells of each.
  absl::StatusOr<Master> FindMaster(absl::Time deadline);
  // What they named last did not do: another one is asked next.
  void Doubt();
  // Grows whenever they name another server than before: connections made before that are outdated.
  uint64_t changes() const { return changes_; }

 private:
  absl::StatusOr<ServerAddress> Ask(absl::Time deadline);
  void Learn(const redisReply* others);
  void Watch();

  const std::string master_;
  const std::vector<Endpoint> given_;
  std::timed_mutex mutex_;
  std::vector<Endpoint> sentinels_;  // those given, then the learned ones
  size_t current_ = 0;
  std::unique_ptr<Connection> connection_;  // to the current one, or null
  ServerAddress known_;
  std::atomic<uint64_t> changes_ = 0;
  UniqueFd stop_;  // eventfd: readable once the thread must end
  std::thread thread_;
};

}  // namespace slipway
