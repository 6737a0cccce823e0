#include "worker/daemon/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "common/base/file.h"
#include "common/task/task_class.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostSlots = 1024;

// The numbers at the start of a file of control groups; "max" and what is no number ends them.
std::vector<int64_t> NumbersIn(const fs::path& file) {
  std::istringstream text(ReadFile(file).value_or(""));
  std::vector<int64_t> numbers;
  for (int64_t number; text >> number;) numbers.push_back(number);
  return numbers;
}

void LimitMemory(const fs::path& file, Machine& machine) {
  const std::vector<int64_t> limit = NumbersIn(file);
  if (limit.empty() || limit[0] < 0 || static_cast<uint64_t>(limit[0]) >= machine.memory) return;
  machine.memory = static_cast<uint64_t>(limit[0]);
  machine.memory_by = file.string();
}

void LimitCpus(int64_t quota, int64_t period, const fs::path& file, Machine& machine) {
  if (quota <= 0 || period <= 0) return;  // -1: none
  const auto cpus = static_cast<uint64_t>(std::max<int64_t>(1, quota / period));
  if (cpus >= machine.cpus) return;
  machine.cpus = cpus;
  machine.cpus_by = file.string();
}

void LimitByVersion2(const fs::path& folder, Machine& machine) {
  LimitMemory(folder / "memory.max", machine);
  const std::vector<int64_t> cpu = NumbersIn(folder / "cpu.max");
  if (cpu.size() >= 2) LimitCpus(cpu[0], cpu[1], folder / "cpu.max", machine);
}

void LimitByMemoryController(const fs::path& folder, Machine& machine) {
  LimitMemory(folder / "memory.limit_in_bytes", machine);
}

void LimitByCpuController(const fs::path& folder, Machine& machine) {
  const std::vector<int64_t> quota = NumbersIn(folder / "cpu.cfs_quota_us"),
                             period = NumbersIn(folder / "cpu.cfs_period_us");
  if (!quota.empty() && !period.empty()) LimitCpus(quota[0], period[0], folder / "cpu.cfs_quota_us", machine);
}

struct Controller {
  std::string_view name;  // as /proc/self/cgroup has it; "" is version 2
  void (*limit)(const fs::path& folder, Machine& machine);
};
constexpr Controller kControllers[] = {
    {"", &LimitByVersion2}, {"memory", &LimitByMemoryController}, {"cpu", &LimitByCpuController}};

}  // namespace

Machine WithinGroups(Machine machine, const fs::path& root, const fs::path& groups) {
  // "0::/system.slice/slipway.service", "4:memory:/docker/1f2e", "3:cpu,cpuacct:/docker/1f2e": cgroups(7).
  std::istringstream lines(ReadFile(groups).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    // Within a container the path may lead outside of what is mounted: what is there of it counts.
    const fs::path group = fs::path("/" + line.substr(second + 1)).lexically_normal().relative_path();
    std::istringstream names(line.substr(first + 1, second - first - 1));
    std::string name;
    do {
      name.clear();
      std::getline(names, name, ',');
      for (const Controller& controller : kControllers) {
        if (controller.name != name) continue;
        for (fs::path inner = group;; inner = inner.parent_path()) {
          controller.limit(inner.empty() ? root / name : root / name / inner, machine);
          if (inner.empty()) break;
        }
      }
    } while (names.good());
  }
  return machine;
}

Machine ThisMachine() {
  Machine machine;
  machine.memory = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  machine.cpus = std::max(1u, std::thread::hardware_concurrency());
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    const auto count = static_cast<uint64_t>(std::max(1, CPU_COUNT(&allowed)));
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    machine.cpus = count;
    if (online > 0 && count < static_cast<uint64_t>(online)) machine.cpus_by = "CPU affinity";
  }
  return WithinGroups(machine, "/sys/fs/cgroup", "/proc/self/cgroup");
}

Sizing SizingOf(const Machine& machine, std::optional<int> slots, std::optional<uint64_t> task_memory) {
  const uint64_t usable = machine.memory / 4 * 3, each = task_memory.value_or(kLeastTaskMemory);
  const uint64_t by_memory = std::max<uint64_t>(1, usable / each);
  Sizing sizing;
  sizing.slots = slots.value_or(static_cast<int>(std::min({machine.cpus, by_memory, kMostSlots})));
  sizing.task_memory =
      task_memory.value_or(std::max(kLeastTaskMemory, usable / static_cast<uint64_t>(std::max(1, sizing.slots))));
  const std::string cpus = fmt::format("{} CPU{} ({})", machine.cpus, machine.cpus == 1 ? "" : "s", machine.cpus_by);
  const std::string memory = fmt::format("3/4 of {} ({}) are enough for {} at {} each", Gibibytes(machine.memory),
                                         machine.memory_by, by_memory, Gibibytes(each));
  const bool short_of_memory = by_memory < machine.cpus;
  sizing.why = fmt::format("{}{}; {}", slots ? "--slots; there are " : "", short_of_memory ? memory : cpus,
                           short_of_memory ? cpus : memory);
  return sizing;
}

std::string Gibibytes(uint64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / static_cast<double>(kGiB));
}

}  // namespace slipway
