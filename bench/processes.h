// A farm of real processes, each of which can be killed, stopped and started again. All are started from one thread and end with it.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "common/queue/connection.h"
#include "common/queue/queue.h"

namespace slipway {

// A redis-server on a Unix socket, in a folder of its own: AOF everysec, as on a farm that stands.
class RedisProcess {
 public:
  // Returns once it answers.
  static absl::StatusOr<std::unique_ptr<RedisProcess>> Start();
  ~RedisProcess();

  std::string address() const { return "unix:" + (folder_.path() / "redis.sock").string(); }
  // A connection to the farm's keys of `options`, whose address is this server's.
  static absl::StatusOr<std::unique_ptr<Connection>> Connect(const QueueOptions& options);
  static absl::StatusOr<double> BytesUsed(Connection& connection);

 private:
  explicit RedisProcess(TemporaryFolder folder) : folder_(std::move(folder)) {}
  TemporaryFolder folder_;
  pid_t pid_ = -1;
};

// slipway-coordinator or slipway-worker; killed with everything below it when this is dropped.
class Daemon {
 public:
  // Returns once it is ready.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(std::string_view binary, std::vector<std::string> arguments,
                                                       const std::filesystem::path& log);
  ~Daemon() { Kill(); }

  // As a machine that loses power: all of its processes at once.
  void Kill();
  void Signal(int number) { kill(pid_, number); }      // to itself alone
  std::vector<pid_t> Children() const;                 // all below it
  const std::string& ready() const { return ready_; }  // what it said when it was
  double AnonymousMiB() const;

 private:
  Daemon() = default;
  pid_t pid_ = -1;
  std::string ready_;
};

class FarmProcesses {
 public:
  // Redis and a store. `lease` in seconds, as the daemons' flag has it.
  static absl::StatusOr<std::unique_ptr<FarmProcesses>> Start(double lease);

  // Listens on a free port, or at `address`.
  absl::StatusOr<std::unique_ptr<Daemon>> StartCoordinator(const std::string& address = "127.0.0.1:0") const;
  absl::StatusOr<std::unique_ptr<Daemon>> StartWorker() const;  // of one slot

  QueueOptions queue_options() const;
  absl::StatusOr<double> RedisBytes() const;

 private:
  FarmProcesses(TemporaryFolder folder, double lease) : folder_(std::move(folder)), lease_(lease) {}
  std::vector<std::string> Arguments() const;

  TemporaryFolder folder_;
  const double lease_;
  std::unique_ptr<RedisProcess> redis_;
};

}  // namespace slipway
