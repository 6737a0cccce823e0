// A zygote with its surroundings, for tests of what runs on it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "common/base/file.h"
#include "worker/daemon/host_pool.h"
#include "worker/daemon/scratch.h"
#include "worker/daemon/slot.h"
#include "worker/daemon/zygote.h"

namespace slipway {

// A child that does what its task's model is called:
//   "crash" SIGSEGV, "exit" exits with code 3, "hang" never answers, "nonsense" answers what is no message, "stall" breaks off in a message,
//   "environment" / "descriptors" report theirs in the reason, "file" leaves a file, "host" borrows an ncnn host, "host-crash" does and
//   crashes; anything else passes.
int ScriptedChild(Channel daemon, JailLevel level, const std::filesystem::path& scratch);

// A process id that nobody has: unlike -1, which kill() takes for everybody.
inline constexpr pid_t kNoProcess = 0x7fffffff;

class TestFarmhand {
 public:
  // `python` for the host pool.
  explicit TestFarmhand(ChildMain child = &ScriptedChild, const std::filesystem::path& python = "/nonexistent/python");
  ~TestFarmhand();

  WorkerScratch& scratch() { return *scratch_; }
  Zygote& zygote() { return *zygote_; }
  HostPool& hosts() { return *hosts_; }
  // Of a process that runs or is about to: its start is reported by the zygote, later than it may be heard from itself.
  pid_t PidOf(uint64_t id);
  bool zygote_gone() const { return gone_; }
  std::unique_ptr<WarmChild> Child();

 private:
  TemporaryFolder parent_;
  std::unique_ptr<WorkerScratch> scratch_;
  std::unique_ptr<Zygote> zygote_;
  std::unique_ptr<HostPool> hosts_;
  std::atomic<bool> gone_ = false;
};

TaskMessage Task(const std::string& model_name);

// Whether the process runs (a zombie does not), asked until it does not or `patience` is over.
bool EndsWithin(pid_t pid, absl::Duration patience = absl::Seconds(20));
bool Holds(const std::function<bool()>& condition, absl::Duration patience = absl::Seconds(20));

// The interpreter with the runtimes: SLIPWAY_PYTHON; the test fails without it.
std::filesystem::path TestPython();

}  // namespace slipway
