// Failpoints: named places at which a test makes a process die, stop or wait. They are in the shipped binaries and asleep
// (one load of a bool) unless the environment arms them:
//
//   SLIPWAY_FAILPOINTS=worker.result_stored=kill@3,coordinator.submitted=delay:200
//   SLIPWAY_FAILPOINT_LOG=/tmp/hits       one line "<name> <action> <pid>" is appended before each action
//
// kill: SIGKILL to the own process; stop: SIGSTOP; delay:MS: sleeps. @N acts at the N-th passage only (default: the first).
// An entry that cannot be read ends the process with 2 before it does anything.
#pragma once

#include <cstddef>
#include <string_view>

namespace slipway {

inline constexpr std::string_view kFailpoints[] = {
    "client.cell_published",       // one of several cells of an output folder is in its place
    "client.manifest_ready",       // all cells are, the manifest is not
    "client.submitted",            // the farm has the request, nobody watches it yet
    "coordinator.cancelled",       // before the caller hears of it
    "coordinator.download_chunk",  // read, not sent
    "coordinator.maintained",      // expired leases have been returned
    "coordinator.spec_stored",     // the request's spec is a blob, the queue knows nothing
    "coordinator.submitted",       // the queue has the request, the client no answer
    "coordinator.upload_chunk",    // written to a temporary file
    "coordinator.watch_page",      // read from the queue, not sent
    "store.published",             // a blob is visible, its writer has not said so
    "store.written",               // all bytes are there, but no blob yet
    "worker.artifact_stored",      // the cell's files are blobs, its result is none yet
    "worker.committed",            // the queue has the result, the worker has not gone on
    "worker.executed",             // the child has answered, nothing is stored
    "worker.heartbeat",            // leases are extended
    "worker.leased",               // the task is ours, nothing has begun
    "worker.result_stored",        // before the commit that names it
    "worker.returning",            // a task is about to go back
};

class FailpointName {
 public:
  consteval FailpointName(const char* name) : index(Find(name)) {}  // NOLINT: a literal is what callers write
  const size_t index;

 private:
  static consteval size_t Find(std::string_view name) {
    for (size_t i = 0; i < std::size(kFailpoints); ++i) {
      if (kFailpoints[i] == name) return i;
    }
    throw "no such failpoint: add it to kFailpoints";
  }
};

namespace failpoint_internal {
extern const bool armed;
void Pass(size_t index);
}  // namespace failpoint_internal

inline void Failpoint(FailpointName name) {
  if (failpoint_internal::armed) failpoint_internal::Pass(name.index);
}

}  // namespace slipway
