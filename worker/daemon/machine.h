// What this process may use of its machine, and how many tasks at a time that is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace slipway {

struct Machine {
  uint64_t cpus = 1;  // that it may use at once
  std::string cpus_by = "of the machine";
  uint64_t memory = 0;                        // bytes
  std::string memory_by = "physical memory";  // or the file that says less: "/sys/fs/cgroup/system.slice/memory.max"
};

// What `machine` is within the control groups around this process: the least that any of them says, from its own up to the root; cgroups
// (version 2, and 1 where it is mounted) below `root`, the process' as `groups` (/proc/self/cgroup) names them. Files that are not
// there or say "max" limit nothing. A part of a CPU at the end does not count, but one CPU always does.
Machine WithinGroups(Machine machine, const std::filesystem::path& root, const std::filesystem::path& groups);

// This one: its memory, the CPUs that this process may run on, and the control groups around it.
Machine ThisMachine();

struct Sizing {
  int slots = 1;
  uint64_t task_memory = 0;  // bytes that a process of a task, converter child or judge, may take
  std::string why;           // one line
};

// A slot for each CPU, but no more than three quarters of the memory are enough for with kLeastTaskMemory (or `task_memory`) each; and
// for a process of a task those three quarters, shared out among the slots, but kLeastTaskMemory at least (a runtime with a large
// model needs that; slots that all do at once are the operator's to limit). What is given counts.
Sizing SizingOf(const Machine& machine, std::optional<int> slots, std::optional<uint64_t> task_memory);

// "1.5 GiB"
std::string Gibibytes(uint64_t bytes);

}  // namespace slipway
