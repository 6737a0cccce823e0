// The daemon's side of one warm child.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/daemon/host_pool.h"
#include "worker/daemon/scratch.h"
#include "worker/daemon/task_protocol.h"
#include "worker/daemon/zygote.h"

namespace slipway {

// How one run of a task in a child ended.
struct Execution {
  enum class End {
    kResult,      // `output`: what the child answered
    kDied,        // `exit`: the process ended (or was killed by Kill())
    kTimedOut,    // it was killed at its deadline
    kMisbehaved,  // it broke the protocol and was killed
  };
  End end = End::kDied;
  absl::StatusOr<TaskOutput> output = absl::UnknownError("");
  ProcessExit exit;
  bool judged = false;       // a judge host was lent to it
  std::string judge_deaths;  // how those of them died that did; for messages
  std::string last_words;    // the last line on its stderr; for messages
};

// A converter child: spawned ahead of its first task, then one task at a time. All but Kill() from one thread.
class WarmChild {
 public:
  // Returns at once; the child gets ready by itself. `zygote`, `scratch` and `hosts` outlive it.
  static absl::StatusOr<std::unique_ptr<WarmChild>> Spawn(Zygote& zygote, const WorkerScratch& scratch, HostPool& hosts,
                                                          bool require_jail, uint64_t max_memory = 0);
  ~WarmChild();  // kills it and removes its folder

  // Waits for its hello: the jail it reached. An error says how it ended instead.
  absl::StatusOr<JailLevel> AwaitHello(absl::Time deadline);
  // Blocks until the task ended or `deadline`. `blobs` in the message's order. After anything but kResult the child is gone.
  // Judge hosts that the task asked for are borrowed for `tenant` and given back here.
  Execution Run(const TaskMessage& task, const std::vector<int>& blobs, const std::string& tenant,
                const std::function<void(const std::string&)>& progress, absl::Time deadline);
  // Ends the child at once; a Run() in progress returns kDied. Any thread.
  void Kill() { zygote_.Kill(id_); }

  // Whether it can take a task (an idle child may have been killed from outside).
  bool Usable() const;
  const std::filesystem::path& scratch() const { return folder_; }
  std::string LastWords() const { return errors_.LastLine(); }
  int tasks() const { return tasks_; }
  uint64_t id() const { return id_; }

 private:
  WarmChild(Zygote& zygote, HostPool& hosts, uint64_t id, Channel channel, Errors errors, std::filesystem::path folder)
      : zygote_(zygote),
        hosts_(hosts),
        id_(id),
        channel_(std::move(channel)),
        errors_(std::move(errors)),
        folder_(std::move(folder)) {}

  absl::StatusOr<ChildMessage> Receive(absl::Time deadline);

  Zygote& zygote_;
  HostPool& hosts_;
  const uint64_t id_;
  Channel channel_;
  Errors errors_;
  const std::filesystem::path folder_;
  int tasks_ = 0;
  bool greeted_ = false;
  bool broken_ = false;
};

}  // namespace slipway
