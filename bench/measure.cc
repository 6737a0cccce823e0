#include "bench/measure.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/error.h"

namespace slipway {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRest = 20;  // times as long as a look at the memory takes, until the next

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// CPU of all processes that have ended below this one.
double CpuOfTheDead() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime);
}

struct Memory {
  double anon_mb = 0, mapped_mb = 0;
};

// Adds what a process holds, and everything below it.
void AddMemory(pid_t pid, Memory& memory) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) memory.anon_mb += std::strtod(line.c_str() + 8, nullptr) / 1024;
    if (line.starts_with("RssFile:")) memory.mapped_mb += std::strtod(line.c_str() + 8, nullptr) / 1024;
  }
  std::error_code ignored;
  for (auto thread = std::filesystem::directory_iterator(std::filesystem::path(folder) / "task", ignored);
       !ignored && thread != std::filesystem::directory_iterator(); thread.increment(ignored)) {
    std::ifstream children(thread->path() / "children");
    for (pid_t child; children >> child;) AddMemory(child, memory);
  }
}

}  // namespace

absl::StatusOr<Cost> MeasureProcesses(const std::function<int()>& body) {
  // What a farm leaves behind when its client goes falls to us: so its CPU is counted and its end waited for.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return ErrnoStatus(errno, "become a subreaper");
  Cost cost;
  const double cpu = CpuOfTheDead();
  const auto start = SteadyClock::now();
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "fork");
  if (child == 0) _exit(body());
  std::atomic<bool> ended = false;
  std::thread sampler([&] {
    while (!ended) {
      const auto begun = SteadyClock::now();
      Memory memory;
      AddMemory(child, memory);
      cost.peak_anon_mb = std::max(cost.peak_anon_mb, memory.anon_mb);
      cost.peak_mapped_mb = std::max(cost.peak_mapped_mb, memory.mapped_mb);
      // Looking must not slow down what is looked at.
      std::this_thread::sleep_for(
          std::max<SteadyClock::duration>(std::chrono::microseconds(500), kRest * (SteadyClock::now() - begun)));
    }
  });
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  cost.wall_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
  ended = true;
  sampler.join();
  int status = 0, result = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR;) {
    if (pid == child) result = status;
  }
  cost.cpu_s = CpuOfTheDead() - cpu;
  if (result != 0) {
    return WIFEXITED(result) ? FailedPrecondition("it ended with status {}", WEXITSTATUS(result))
                             : FailedPrecondition("it was ended by signal {}", WTERMSIG(result));
  }
  return cost;
}

absl::StatusOr<Cost> MeasureCommand(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  absl::StatusOr<Cost> cost = MeasureProcesses([&] {
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execvp(argv[0], argv.data());
    return 127;
  });
  if (cost.ok()) return cost;
  std::string last;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t") != std::string::npos) last = line;
  }
  return FailedPrecondition("{}: {}", Message(cost.status()), last.substr(0, 200));
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Cost MedianOf(const std::vector<Cost>& costs) {
  const auto median = [&](double Cost::*field) {
    std::vector<double> values;
    for (const Cost& cost : costs) values.push_back(cost.*field);
    return Median(std::move(values));
  };
  return {median(&Cost::wall_s), median(&Cost::cpu_s), median(&Cost::peak_anon_mb), median(&Cost::peak_mapped_mb)};
}

}  // namespace slipway
