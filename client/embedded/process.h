// Child processes of the supervisor. Single-threaded use only.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace slipway {

struct Command {
  std::vector<std::string> arguments;    // [0]: the binary's path
  std::vector<std::pair<int, int>> fds;  // (ours, the child's number)
  int output = -1;                       // becomes stdout and stderr; -1: the caller's stderr for both
};

// Forks and execs. Of the caller's variables the child gets all but SLIPWAY_*, which are the client's own (SLIPWAY_LOG
// stays); it has default signal handling and is killed when the caller dies.
absl::StatusOr<pid_t> Spawn(const Command& command);

// Kills every descendant of this process, which must be a subreaper: children first, then those that their death leaves
// to us, until none is left.
void KillDescendants();

// The program as PATH finds it; `name` itself if it is a path or is not found.
std::string FindProgram(const std::string& name);

struct Pipe {
  UniqueFd read, write;
};
absl::StatusOr<Pipe> MakePipe();

}  // namespace slipway
