// The jail of children and judge hosts: they parse hostile bytes in native code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway {

enum class JailLevel { kNone, kPartial, kFull };
std::string_view Name(JailLevel level);

struct JailOptions {
  std::vector<std::filesystem::path> readable;  // files and folders, with all beneath; those absent are skipped
  std::vector<std::filesystem::path>
      openable;                    // folders whose files can be read by who knows their names; they cannot be listed
  std::filesystem::path writable;  // one scratch folder; empty: none
  bool may_exec = false;           // a host execs its interpreter (from a readable place) after entering
  uint64_t max_memory = 0;         // bytes of memory of its own (mapped files do not count); 0: unlimited
};

// Enters the jail for good, in this (single-threaded) process:
// - no_new_privs, no core dumps, no capabilities (of root's, only reading what permissions forbid is kept: Landlock
// decides there);
// - seccomp: sockets, io_uring, ptrace, process_vm_*, bpf, namespaces, mounts, keys, new processes (threads are fine),
// signals to
//   others, changing who owns or may use a file … fail with EPERM;
// - Landlock: only the paths above, nothing executable unless may_exec; in `writable` plain files and folders can be
// made, but no links,
//   sockets, pipes or devices.
// Returns the level reached: kPartial with both (the network and process ids of the machine stay visible: no
// namespaces), kNone when the kernel lacks Landlock or refuses seccomp; what it does have is then still in force.
// Inherited descriptors stay usable: closing what the inmate must not have is the caller's part.
absl::StatusOr<JailLevel> EnterJail(const JailOptions& options);

}  // namespace slipway
