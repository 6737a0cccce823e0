#include "worker/daemon/memory.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "common/base/file.h"

namespace slipway {
namespace {

constexpr uint64_t kLeast = uint64_t{2} << 30;

uint64_t Number(std::string_view text, uint64_t fallback) {
  uint64_t value = 0;
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc() ? value : fallback;
}

}  // namespace

uint64_t MachineMemory() {
  uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  // "0::/system.slice/slipway.service" (cgroups(7), version 2); each group around it limits it too.
  const auto groups = ReadFile("/proc/self/cgroup");
  if (!groups.ok() || !groups->starts_with("0::/")) return bytes;
  const std::filesystem::path root = "/sys/fs/cgroup";
  std::filesystem::path group = groups->substr(4, groups->find('\n') - 4);
  for (;; group = group.parent_path()) {
    if (const auto limit = ReadFile(root / group / "memory.max"); limit.ok())
      bytes = std::min(bytes, Number(*limit, bytes));
    if (group.empty()) return bytes;
  }
}

uint64_t DefaultTaskMemory(uint64_t machine, int slots) {
  return std::max(kLeast, machine / 4 * 3 / static_cast<uint64_t>(std::max(1, slots)));
}

}  // namespace slipway
