// What the machine and the control groups around the worker allow, and the slots that come of it. Control groups are folders of the test.
#include "worker/daemon/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/base/file.h"
#include "common/task/task_class.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class GroupsTest : public testing::Test {
 protected:
  GroupsTest() : folder_(*TemporaryFolder::Create("/tmp", "groups-")) { fs::create_directories(root()); }
  fs::path root() const { return folder_.path() / "cgroup"; }
  void File(const fs::path& path, const std::string& text) {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
  }
  Machine Within(const std::string& groups) {
    std::ofstream(folder_.path() / "self") << groups;
    Machine machine;
    machine.cpus = 16;
    machine.memory = 64 * kGiB;
    return WithinGroups(machine, root(), folder_.path() / "self");
  }

  TemporaryFolder folder_;
};

TEST_F(GroupsTest, NoneLimitsNothing) {
  for (const char* groups : {"", "0::/\n", "0::/a/b\n", "no line of that file", "1:name=systemd:/a\n0::/../../x\n"}) {
    const Machine machine = Within(groups);
    EXPECT_EQ(machine.cpus, 16u) << groups;
    EXPECT_EQ(machine.cpus_by, "of the machine");
    EXPECT_EQ(machine.memory, 64 * kGiB) << groups;
    EXPECT_EQ(machine.memory_by, "physical memory");
  }
}

TEST_F(GroupsTest, TheOwnGroupLimits) {
  File("pod/worker/memory.max", "4294967296\n");
  File("pod/worker/cpu.max", "350000 100000\n");
  const Machine machine = Within("0::/pod/worker\n");
  EXPECT_EQ(machine.memory, 4 * kGiB);
  EXPECT_EQ(machine.memory_by, (root() / "pod/worker/memory.max").string());
  EXPECT_EQ(machine.cpus, 3u);
  EXPECT_EQ(machine.cpus_by, (root() / "pod/worker/cpu.max").string());
}

// A group that is around it limits it as well, however far up, and the one at the root of what a container sees.
TEST_F(GroupsTest, EveryGroupAroundItLimits) {
  File("a/b/c/memory.max", "max\n");
  File("a/b/memory.max", "8589934592\n");
  File("a/memory.max", "17179869184\n");
  File("a/b/c/cpu.max", "max 100000\n");
  File("a/b/cpu.max", "800000 100000\n");
  File("a/cpu.max", "200000 50000\n");
  Machine machine = Within("0::/a/b/c\n");
  EXPECT_EQ(machine.memory, 8 * kGiB);
  EXPECT_EQ(machine.cpus, 4u);
  EXPECT_EQ(machine.cpus_by, (root() / "a/cpu.max").string());
  File("memory.max", "3221225472\n");
  File("cpu.max", "50000 100000\n");
  machine = Within("0::/a/b/c\n");
  EXPECT_EQ(machine.memory, 3 * kGiB);
  EXPECT_EQ(machine.cpus, 1u) << "half a CPU is one task at a time";
  // Docker without a namespace of groups: the path is the host's, the files are at the root.
  machine = Within("0::/system.slice/docker-1f.scope\n");
  EXPECT_EQ(machine.memory, 3 * kGiB);
}

TEST_F(GroupsTest, MoreThanTheMachineHasIsNoLimit) {
  File("memory.max", "274877906944\n");
  File("cpu.max", "6400000 100000\n");
  const Machine machine = Within("0::/\n");
  EXPECT_EQ(machine.memory, 64 * kGiB);
  EXPECT_EQ(machine.cpus, 16u);
}

TEST_F(GroupsTest, VersionOne) {
  File("memory/docker/1f/memory.limit_in_bytes", "9223372036854771712\n");
  File("memory/docker/memory.limit_in_bytes", "6442450944\n");
  File("cpu/docker/1f/cpu.cfs_quota_us", "-1\n");
  File("cpu/docker/1f/cpu.cfs_period_us", "100000\n");
  File("cpu/cpu.cfs_quota_us", "500000\n");
  File("cpu/cpu.cfs_period_us", "100000\n");
  const Machine machine = Within("5:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n1:name=systemd:/docker/1f\n0::/\n");
  EXPECT_EQ(machine.memory, 6 * kGiB);
  EXPECT_EQ(machine.cpus, 5u);
}

TEST_F(GroupsTest, DamagedFilesLimitNothing) {
  File("memory.max", "lots\n");
  File("cpu.max", "100000\n");
  Machine machine = Within("0::/\n");
  EXPECT_EQ(machine.memory, 64 * kGiB);
  EXPECT_EQ(machine.cpus, 16u);
  File("cpu.max", "100000 0\n");
  EXPECT_EQ(Within("0::/\n").cpus, 16u);
}

Machine Of(uint64_t cpus, uint64_t memory) {
  Machine machine;
  machine.cpus = cpus;
  machine.memory = memory;
  return machine;
}

TEST(Sizing, SlotsAreLimitedByCpusAndByMemory) {
  struct Case {
    uint64_t cpus, gigabytes;
    int slots;
    uint64_t task_gigabytes;
  };
  for (const Case& c : {Case{8, 64, 8, 6}, Case{1, 64, 1, 48}, Case{64, 16, 6, 2}, Case{8, 4, 1, 3}, Case{8, 1, 1, 2},
                        Case{4096, 1 << 20, 1024, 768}}) {
    const Sizing sizing = SizingOf(Of(c.cpus, c.gigabytes * kGiB), std::nullopt, std::nullopt);
    EXPECT_EQ(sizing.slots, c.slots) << c.cpus << " CPUs, " << c.gigabytes << " GiB";
    EXPECT_EQ(sizing.task_memory, c.task_gigabytes * kGiB) << c.cpus << " CPUs, " << c.gigabytes << " GiB";
  }
}

TEST(Sizing, WhatIsGivenCounts) {
  Sizing sizing = SizingOf(Of(8, 64 * kGiB), 3, std::nullopt);
  EXPECT_EQ(sizing.slots, 3);
  EXPECT_EQ(sizing.task_memory, 16 * kGiB);
  sizing = SizingOf(Of(8, 64 * kGiB), std::nullopt, 12 * kGiB);
  EXPECT_EQ(sizing.slots, 4) << "48 GiB at 12 each";
  EXPECT_EQ(sizing.task_memory, 12 * kGiB);
  sizing = SizingOf(Of(2, kGiB), 8, 12 * kGiB);
  EXPECT_EQ(sizing.slots, 8);
  EXPECT_EQ(sizing.task_memory, 12 * kGiB);
}

TEST(Sizing, SaysWhy) {
  Machine machine = Of(8, 4 * kGiB);
  machine.memory_by = "/sys/fs/cgroup/pod/memory.max";
  EXPECT_EQ(SizingOf(machine, std::nullopt, std::nullopt).why,
            "3/4 of 4.0 GiB (/sys/fs/cgroup/pod/memory.max) are enough for 1 at 2.0 GiB each; 8 CPUs (of the machine)");
  machine = Of(1, 64 * kGiB);
  machine.cpus_by = "CPU affinity";
  EXPECT_THAT(SizingOf(machine, std::nullopt, std::nullopt).why,
              HasSubstr("1 CPU (CPU affinity); 3/4 of 64.0 GiB (physical memory) are enough for 24 at"));
  EXPECT_THAT(SizingOf(machine, 5, std::nullopt).why, HasSubstr("--slots; there are 1 CPU"));
}

TEST(ThisMachine, IsNoMoreThanThereIs) {
  const auto physical = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const Machine machine = ThisMachine();
  EXPECT_GT(machine.memory, uint64_t{64} << 20);
  EXPECT_LE(machine.memory, physical);
  EXPECT_GE(machine.cpus, 1u);
  EXPECT_LE(machine.cpus, static_cast<uint64_t>(sysconf(_SC_NPROCESSORS_CONF)));
}

}  // namespace
}  // namespace slipway
