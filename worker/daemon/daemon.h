// The worker: leases tasks, runs them in warm children, commits their results; docs/worker.md.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/queue/queue.h"
#include "common/store/open_store.h"
#include "common/task/task_class.h"
#include "worker/daemon/zygote.h"

namespace slipway {

struct WorkerOptions {
  QueueOptions queue;
  std::string store;                 // URL, see OpenStore
  OpenStoreOptions store_options;    // without a cache, copies lie in the worker's scratch folder
  int slots = 1;                     // tasks at a time
  std::filesystem::path scratch;     // the worker's folder is made in it
  std::filesystem::path python;      // interpreter with the runtimes
  std::vector<std::string> prewarm;  // judges to start at once
  absl::Duration task_timeout = absl::Minutes(10);
  absl::Duration judge_timeout = absl::Minutes(2);  // for one answer of a judge
  uint64_t task_memory = kLeastTaskMemory;          // bytes of a child or judge
  bool take_all =
      false;  // every class is offered, whatever is missing here: its tasks end unverified, or short of memory
  absl::Duration drain_timeout = absl::Seconds(10);
  bool allow_unsandboxed = false;
  bool cache = true;          // TaskRunnerOptions::cache
  int tasks_per_child = 200;  // then a fresh one takes over
  int parent_fd = -1;         // ends at once when it reaches its end; -1: none
  int signal_fd = -1;  // a signalfd of SIGTERM and SIGINT, blocked in every thread: drain, the second time at once
  std::function<void(const std::string& worker)> on_ready;  // registered: tasks will be taken
};

// Works until it is told to end. OK: drained, or the parent is gone. Else what made working impossible. Every process is gone and the
// scratch folder removed when it returns; threads that wait for Redis may still run, so that the caller has to leave by _exit.
absl::Status RunWorker(const WorkerOptions& options, ZygoteProcess zygote);

}  // namespace slipway
