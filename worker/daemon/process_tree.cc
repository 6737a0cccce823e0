#include "worker/daemon/process_tree.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

namespace slipway {
namespace {

constexpr int kDeepest = 16;  // worker, zygote, child: three

uint64_t MemoryBelow(pid_t process, int depth) {
  uint64_t size = 0, resident = 0, shared = 0;
  std::ifstream(fmt::format("/proc/{}/statm", process)) >> size >> resident >> shared;
  uint64_t bytes = resident > shared ? (resident - shared) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
  if (depth == kDeepest) return bytes;
  // Who forks is a process' first thread, in the worker as in the zygote.
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", process));
  for (pid_t child; children >> child;) bytes += MemoryBelow(child, depth + 1);
  return bytes;
}

}  // namespace

uint64_t MemoryOfTree(pid_t root) { return MemoryBelow(root, 0); }

}  // namespace slipway
