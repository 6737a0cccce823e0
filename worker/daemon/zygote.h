// The zygote: a small single-threaded process, forked before the worker has any thread, that forks warm children and
// judge hosts on command. So forking stays cheap (0.2 ms) however large the worker grows, and PDEATHSIG works: the
// forking thread is a whole process.
//
//   daemon ── channel ──▶ zygote ──fork──▶ child (jailed; runs its ChildMain)
//                                 └─fork──▶ host  (jailed; execs its argv; its connection is descriptor 3)
// When the worker dies, however, the zygote sees the end of its channel (or its own PDEATHSIG), kills what it forked
// and exits.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/channel.h"
#include "worker/jail/jail.h"

namespace slipway {

// What a converter child runs in its jail, with its end of the connection; returns its exit code.
using ChildMain = int (*)(Channel daemon, JailLevel level, const std::filesystem::path& scratch);

struct ZygoteProcess {
  pid_t pid = -1;
  Channel channel;
};

// Forks the zygote. Call it before any thread exists and before any file is open that the zygote must not keep (it
// closes all but stdin, stdout, stderr and its channel).
absl::StatusOr<ZygoteProcess> ForkZygote(ChildMain child_main);

struct SpawnRequest {
  std::vector<std::string> argv;                // empty: a converter child
  std::vector<std::string> environment;         // "NAME=value": all that it gets
  std::filesystem::path scratch;                // exists; its working folder, and all that it may write to
  std::vector<std::filesystem::path> readable;  // JailOptions
  std::vector<std::filesystem::path> openable;  // JailOptions
  uint64_t max_memory = 0;                      // JailOptions
  bool require_jail = true;                     // else a kernel without one is accepted
  int connection = -1;                          // becomes descriptor 3
  int errors = -1;                              // becomes stderr
};

// How a process ended. Exactly one of: `error` (it never ran), `signal`, `code`.
struct ProcessExit {
  uint64_t id = 0;
  pid_t pid = 0;
  int signal = 0;
  int code = 0;
  std::string error;
};
std::string Describe(const ProcessExit& exit);  // "was killed by SIGSEGV", "exited with code 3"

// The daemon's side. Thread-safe.
class Zygote {
 public:
  // `on_exit` is called from this object's own thread for every process that ended, after WaitExit knows of it.
  // `on_gone`, too, once the zygote itself is gone: nothing can be spawned any more.
  Zygote(ZygoteProcess process, std::function<void(const ProcessExit&)> on_exit, std::function<void()> on_gone);
  // Shutdown(), if nobody called it.
  ~Zygote();

  // Returns at once: the process runs soon, or WaitExit says why not. Ids are never used twice.
  absl::StatusOr<uint64_t> Spawn(const SpawnRequest& request);
  // SIGKILL to the process and all its group. Nothing if it is gone.
  void Kill(uint64_t id);
  // Blocks until it ended; nullopt at the deadline. Each exit is given to one waiter.
  std::optional<ProcessExit> WaitExit(uint64_t id, absl::Time deadline);
  // Of a running process; nullopt before it runs and after its end.
  std::optional<pid_t> PidOf(uint64_t id);
  pid_t pid() const { return pid_; }
  // Ends every process and the zygote, and waits for it. on_gone is not called for this.
  void Shutdown();

 private:
  void Listen();

  const pid_t pid_;
  Channel channel_;
  std::function<void(const ProcessExit&)> on_exit_;
  std::function<void()> on_gone_;
  std::mutex send_mutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, pid_t> running_;      // 0: not forked yet
  std::map<uint64_t, ProcessExit> exits_;  // nobody has waited for these yet
  uint64_t next_id_ = 1;
  bool stopping_ = false;
  bool gone_ = false;
  std::thread listener_;
};

}  // namespace slipway
