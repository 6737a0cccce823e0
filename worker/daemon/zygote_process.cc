// The zygote's own process: what runs between ForkZygote and a child's ChildMain or a host's exec.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "worker/daemon/zygote.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr int kConnection = 3;
constexpr int kCouldNotStart = 125;  // exit codes of a process that never got as far as its own code:
constexpr int kCouldNotExec = 126;   // the machine refused, or there is no such program

void CloseFrom(unsigned first) { syscall(SYS_close_range, first, ~0u, 0); }

[[noreturn]] void Fail(std::string_view message, int code = kCouldNotStart) {
  dprintf(STDERR_FILENO, "slipway: %.*s\n", static_cast<int>(message.size()), message.data());
  _exit(code);
}

std::vector<std::filesystem::path> Paths(const json& list) {
  std::vector<std::filesystem::path> paths;
  for (const auto& path : list) paths.emplace_back(path.get<std::string>());
  return paths;
}

// Descriptors 0–3 as the process shall find them, all others closed. The two given ones may have any number.
void ArrangeDescriptors(int connection, int errors) {
  const int high_connection = fcntl(connection, F_DUPFD_CLOEXEC, 10);
  const int high_errors = fcntl(errors, F_DUPFD_CLOEXEC, 10);
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (high_connection < 0 || high_errors < 0 || nothing < 0) Fail("no descriptors left");
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  dup2(high_errors, STDERR_FILENO);
  dup2(high_connection, kConnection);
  CloseFrom(kConnection + 1);
}

// Runs in the new process.
[[noreturn]] void Become(const json& request, int connection, int errors, ChildMain child_main) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ArrangeDescriptors(connection, errors);

  // When memory runs out the kernel shall take a child, not the daemon.
  if (const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const ssize_t written = write(fd, "500", 3);
    close(fd);
  }
  const std::filesystem::path scratch = request.at("scratch").get<std::string>();
  if (chdir(scratch.c_str()) != 0)
    Fail(fmt::format("no scratch folder {}: {}", scratch.string(), std::strerror(errno)));
  clearenv();
  for (const auto& variable : request.at("environment")) {
    putenv(strdup(variable.get<std::string>().c_str()));
  }
  std::vector<std::string> argv = request.at("argv").get<std::vector<std::string>>();

  JailOptions jail;
  jail.readable = Paths(request.at("readable"));
  jail.openable = Paths(request.at("openable"));
  jail.writable = scratch;
  jail.may_exec = !argv.empty();
  jail.max_memory = request.at("max_memory").get<uint64_t>();
  absl::StatusOr<JailLevel> level = EnterJail(jail);
  if (!level.ok()) Fail("cannot enter the jail: " + Message(level.status()));
  if (*level == JailLevel::kNone && request.at("require_jail").get<bool>())
    Fail("this kernel has no jail (Landlock and seccomp)");

  if (argv.empty()) _exit(child_main(Channel(UniqueFd(kConnection)), *level, scratch));
  std::vector<char*> arguments;
  for (auto& argument : argv) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  Fail(fmt::format("cannot run {}: {}", argv[0], std::strerror(errno)), kCouldNotExec);
}

class ZygoteLoop {
 public:
  ZygoteLoop(Channel channel, ChildMain child_main) : channel_(std::move(channel)), child_main_(child_main) {}

  void Run() {
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, nullptr);
    UniqueFd signals(signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
    bool open = signals.valid();
    while (open) {
      pollfd wait[2] = {{channel_.fd(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
      if (poll(wait, 2, -1) < 0 && errno != EINTR) break;
      if (wait[1].revents != 0) {
        signalfd_siginfo info;
        while (read(signals.get(), &info, sizeof(info)) > 0) {
        }
        Reap();
      }
      if (wait[0].revents != 0) open = Obey();
    }
    EndAll();
  }

 private:
  // False at the end of the daemon's stream.
  bool Obey() {
    absl::StatusOr<Frame> frame = channel_.Receive();
    if (!frame.ok()) return false;
    const json request = json::parse(frame->body, nullptr, /*allow_exceptions=*/false);
    if (!request.is_object()) return false;
    const uint64_t id = request.value("id", uint64_t{0});
    if (request.value("op", "") == "kill") {
      if (auto process = processes_.find(id); process != processes_.end()) KillGroup(process->second);
      return true;
    }
    if (frame->fds.size() != 2) return false;
    Spawn(id, request, frame->fds[0].get(), frame->fds[1].get());
    return true;
  }

  void Spawn(uint64_t id, const json& request, int connection, int errors) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(kCouldNotStart);
      Become(request, connection, errors, child_main_);
    }
    if (pid < 0) {
      Report(
          {{"op", "exited"}, {"id", id}, {"pid", 0}, {"error", fmt::format("cannot fork: {}", std::strerror(errno))}});
      return;
    }
    setpgid(pid, pid);  // here too: a kill may come before the child gets to it
    processes_[id] = pid;
    Report({{"op", "started"}, {"id", id}, {"pid", pid}});
  }

  void Reap() {
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      for (auto process = processes_.begin(); process != processes_.end(); ++process) {
        if (process->second != pid) continue;
        Report({{"op", "exited"},
                {"id", process->first},
                {"pid", pid},
                {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
                {"code", WIFEXITED(status) ? WEXITSTATUS(status) : 0}});
        processes_.erase(process);
        break;
      }
    }
  }

  static void KillGroup(pid_t pid) {
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
  }

  void EndAll() {
    for (const auto& [id, pid] : processes_) KillGroup(pid);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  }

  void Report(const json& event) { channel_.Send(event.dump()).IgnoreError(); }

  Channel channel_;
  ChildMain child_main_;
  std::map<uint64_t, pid_t> processes_;  // unreaped: their ids cannot be anyone else's
};

}  // namespace

absl::StatusOr<ZygoteProcess> ForkZygote(ChildMain child_main) {
  ASSIGN_OR_RETURN(auto ends, Channel::CreatePair());
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork the zygote");
  if (pid > 0) {
    ends.second.Close();
    return ZygoteProcess{pid, std::move(ends.first)};
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  // The daemon's environment may hold the store's credentials, and what is below parses strangers' bytes: wiped, as
  // clearenv() only forgets where it is.
  for (char** variable = environ; *variable != nullptr; ++variable) explicit_bzero(*variable, std::strlen(*variable));
  clearenv();
  // Ctrl-C at a terminal is the daemon's to handle.
  setpgid(0, 0);
  const int channel = fcntl(ends.second.fd(), F_DUPFD_CLOEXEC, 10);
  if (channel < 0) _exit(kCouldNotStart);
  dup3(channel, kConnection, O_CLOEXEC);
  CloseFrom(kConnection + 1);
  ends.first.ReleaseSocket().Release();
  ends.second.ReleaseSocket().Release();
  prctl(PR_SET_NAME, "slipway-zygote");
  ZygoteLoop(Channel(UniqueFd(kConnection)), child_main).Run();
  _exit(0);
}

}  // namespace slipway
