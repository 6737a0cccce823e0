#include "client/embedded/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/base/error.h"

namespace slipway {
namespace {

// Moves every descriptor to its number; those in the way are first lifted above all numbers in use.
bool PlaceDescriptors(const std::vector<std::pair<int, int>>& fds) {
  std::vector<int> lifted;
  for (const auto& [ours, number] : fds) {
    const int copy = fcntl(ours, F_DUPFD_CLOEXEC, 64);
    if (copy < 0) return false;
    lifted.push_back(copy);
  }
  for (size_t i = 0; i < fds.size(); ++i) {
    if (dup2(lifted[i], fds[i].second) < 0) return false;
  }
  return true;
}

[[noreturn]] void RunChild(const Command& command, char* const* argv, char* const* environment, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) signal(number, SIG_DFL);
  std::vector<std::pair<int, int>> fds = command.fds;
  const int output = command.output >= 0 ? command.output : STDERR_FILENO;
  fds.emplace_back(output, STDOUT_FILENO);
  fds.emplace_back(output, STDERR_FILENO);
  if (!PlaceDescriptors(fds)) _exit(127);
  execve(argv[0], argv, environment);
  std::fprintf(stderr, "%s: %s\n", argv[0], std::strerror(errno));
  _exit(127);
}

// The parent's pid in /proc/<pid>/stat: the fourth field, after a name in brackets that may hold anything.
pid_t ParentOf(const char* pid) {
  absl::StatusOr<std::string> stat = ReadFile(std::filesystem::path("/proc") / pid / "stat");
  if (!stat.ok()) return -1;
  const size_t bracket = stat->rfind(')');
  if (bracket == std::string::npos || bracket + 4 > stat->size()) return -1;
  return static_cast<pid_t>(std::strtol(stat->c_str() + bracket + 4, nullptr, 10));
}

std::vector<std::string> EntriesOf(const char* folder) {
  std::vector<std::string> names;
  DIR* open = opendir(folder);
  if (open == nullptr) return names;
  while (const dirent* entry = readdir(open)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') names.emplace_back(entry->d_name);
  }
  closedir(open);
  return names;
}

void KillChildren() {
  // The kernel's own list, by the thread that forked them or took them over; it is complete while nobody but the caller reaps.
  bool listed = true;
  for (const std::string& thread : EntriesOf("/proc/self/task")) {
    const absl::StatusOr<std::string> children =
        ReadFile(std::filesystem::path("/proc/self/task") / thread / "children");
    listed = listed && children.ok();
    if (!children.ok()) continue;
    char* end = nullptr;
    for (const char* at = children->c_str();; at = end) {
      const auto pid = static_cast<pid_t>(std::strtol(at, &end, 10));
      if (end == at || pid <= 0) break;
      kill(pid, SIGKILL);
    }
  }
  if (listed) return;
  // A kernel without that list: every process of the machine is asked whose child it is.
  const pid_t self = getpid();
  for (const std::string& pid : EntriesOf("/proc")) {
    if (ParentOf(pid.c_str()) == self) kill(static_cast<pid_t>(std::atoi(pid.c_str())), SIGKILL);
  }
}

}  // namespace

absl::StatusOr<pid_t> Spawn(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& argument : command.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("SLIPWAY_") || text.starts_with("SLIPWAY_LOG=")) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "start " + command.arguments[0]);
  if (pid == 0) RunChild(command, argv.data(), environment.data(), parent);
  return pid;
}

void KillDescendants() {
  for (;;) {
    KillChildren();
    const pid_t pid = waitpid(-1, nullptr, 0);
    if (pid < 0 && errno != EINTR) return;
    // Reap all that ended together before looking for orphans again.
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* variable = std::getenv("PATH");
  std::string path = variable != nullptr ? variable : "/usr/bin:/bin";
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    const std::string candidate = path.substr(start, end - start) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    start = end + 1;
  }
  return name;
}

}  // namespace slipway
