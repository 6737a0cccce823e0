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
  std::filesystem::path writable;               // one scratch folder; empty: none
  bool may_exec = false;                        // a host execs its interpreter after entering
  uint64_t max_address_space = 0;               // bytes; 0: unlimited
};

// Enters the jail for good, in this (single-threaded) process: no_new_privs, no core dumps, seccomp without sockets (socket, connect, io_uring, ptrace,
// process_vm_*, bpf, unshare, mount, keyctl … fail with EPERM), Landlock. Returns the level reached: kPartial with both, kNone when
// the kernel has no Landlock or refuses seccomp.
absl::StatusOr<JailLevel> EnterJail(const JailOptions& options);

}  // namespace slipway
