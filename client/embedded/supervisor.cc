#include "client/embedded/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "client/embedded/process.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr int kRestarts = 5;                                   // of one process; then the farm has failed
constexpr char kLease[] = "5";                                 // seconds until a killed worker's tasks are made again
constexpr absl::Duration kStoppedPatience = absl::Seconds(2);  // for a stopped process to be continued
constexpr char kKeptHours[] = "720";                           // what no run used for so long leaves the cache
constexpr int kReadyFd = 3;   // the child's number of the pipe on which it says that it is ready
constexpr int kParentFd = 4;  // the child's number of a pipe that ends with us

enum Role { kRedis, kCoordinator, kWorker, kRoles };

struct Process {
  std::string_view name;
  pid_t pid = -1;
  int starts = 0;
  bool was_ready = false, hung = false;  // hung: stopped for so long that it was killed
  absl::Time stopped = absl::InfiniteFuture();
  UniqueFd ready;  // its ready pipe, until it said so
};

class Supervisor {
 public:
  Supervisor(Channel client, const EmbeddedFarmOptions& options, FarmFolders folders)
      : client_(std::move(client)), options_(options), folders_(std::move(folders)) {}

  int Run() {
    absl::Status status = Prepare();
    for (int role = 0; status.ok() && role < kRoles; ++role) status = Start(static_cast<Role>(role));
    if (status.ok()) status = Serve();
    if (!status.ok()) {
      Say({{"error", Message(status)}});
      AwaitClient();
    }
    // Nothing here outlives the request: Redis holds no persistent data, coordinators and workers may be killed at any
    // moment by design. So the quickest end is also a clean one.
    KillDescendants();
    folders_.reset();
    std::error_code ignored;  // the next run removes what is left
    if (!options_.staging.empty()) fs::remove_all(options_.staging, ignored);
    return status.ok() ? 0 : 1;
  }

 private:
  absl::Status Prepare() {
    setpgid(0, 0);
    prctl(PR_SET_NAME, "slipway-farm");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return ErrnoStatus(errno, "become the farm's subreaper");
    for (const int number : {SIGINT, SIGHUP, SIGPIPE, SIGTTOU}) signal(number, SIG_IGN);
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_SETMASK, &ours, nullptr);
    signals_ = UniqueFd(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.valid()) return ErrnoStatus(errno, "watch the farm's processes");

    // The user's pipes must not wait for us.
    const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    dup2(null.get(), STDIN_FILENO);
    dup2(null.get(), STDOUT_FILENO);

    RETURN_IF_ERROR(WriteFileAtomically(Socket("password"), password_));
    ASSIGN_OR_RETURN(Pipe life, MakePipe());
    life_ = std::move(life);
    return absl::OkStatus();
  }

  fs::path Socket(std::string_view name) const { return folders_->sockets.path() / name; }
  fs::path Log(Role role) const { return folders_->data.path() / (std::string(processes_[role].name) + ".log"); }

  // Whether it is time to look through the cache for what no run used for long: at most once a day.
  bool CleansCache() const {
    if (options_.cache.empty()) return false;
    const fs::path cleaned = options_.cache / "cleaned";
    std::error_code error;
    const auto last = fs::last_write_time(cleaned, error);
    if (!error && fs::file_time_type::clock::now() - last < std::chrono::hours(24)) return false;
    return WriteFileAtomically(cleaned, "").ok();
  }

  absl::StatusOr<Command> CommandOf(Role role) {
    const std::string redis = "unix:" + Socket("redis.sock").string();
    switch (role) {
      case kRedis:
        return Command{{options_.redis_server.string(), "-"}};
      case kCoordinator:
        return Command{{(options_.binaries / "slipway-coordinator").string(), "--listen",
                        "unix:" + Socket("coordinator.sock").string(), "--redis", redis, "--redis-password-file",
                        Socket("password").string(), "--store", folders_->store().string(), "--ephemeral-store",
                        "--adopt-store", "--garbage-after", CleansCache() ? kKeptHours : "0", "--lease", kLease,
                        "--ready-fd", std::to_string(kReadyFd)}};
      default:
        break;
    }
    Command worker{{(options_.binaries / "slipway-worker").string(), "--redis", redis, "--redis-password-file",
                    Socket("password").string(), "--store", folders_->store().string(), "--ephemeral-store", "--slots",
                    std::to_string(options_.slots), "--scratch", (folders_->data.path() / "scratch").string(),
                    "--lease", kLease, "--take-all", "--ready-fd", std::to_string(kReadyFd), "--parent-fd",
                    std::to_string(kParentFd)}};
    const auto add = [&](std::string_view flag, const std::string& value) {
      worker.arguments.emplace_back(flag);
      worker.arguments.push_back(value);
    };
    if (!options_.python.empty()) add("--python", options_.python);
    if (!options_.prewarm.empty()) {
      std::string list;
      for (const std::string& judge : options_.prewarm) list += (list.empty() ? "" : ",") + judge;
      add("--prewarm", list);
    }
    worker.fds.emplace_back(life_.read.get(), kParentFd);
    return worker;
  }

  // Config on stdin, so that the password is in no argument list and no file of redis-server's.
  std::string RedisConfig() const {
    return "port 0\nunixsocket " + Socket("redis.sock").string() +
           "\nunixsocketperm 700\nsave \"\"\nmaxmemory-policy noeviction\nloglevel warning\ndaemonize no\n" +
           (options_.durable ? "appendonly yes\nappendfsync everysec\nauto-aof-rewrite-min-size 256mb\n"
                             : "appendonly no\n") +
           "dir " + folders_->data.path().string() + "\nrequirepass " + password_ + "\n";
  }

  absl::Status Start(Role role) {
    Process& process = processes_[role];
    ASSIGN_OR_RETURN(Command command, CommandOf(role));
    ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
    UniqueFd log;
    if (std::getenv("SLIPWAY_LOG") == nullptr) {
      log = UniqueFd(open(Log(role).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      command.output = log.get();
    }
    if (role == kRedis) {
      command.fds.emplace_back(pipe.read.get(), STDIN_FILENO);
    } else {
      command.fds.emplace_back(pipe.write.get(), kReadyFd);
    }
    ASSIGN_OR_RETURN(process.pid, Spawn(command));
    ++process.starts;
    if (role == kRedis) {
      const std::string config = RedisConfig();  // far less than a pipe holds
      if (write(pipe.write.get(), config.data(), config.size()) < 0)
        return ErrnoStatus(errno, "configure redis-server");
      process.was_ready = true;
    } else {
      process.ready = std::move(pipe.read);
    }
    return absl::OkStatus();
  }

  // Until the client is gone (OK) or the farm has failed.
  absl::Status Serve() {
    for (;;) {
      std::array<pollfd, 2 + kRoles> fds;
      fds[0] = {client_.fd(), POLLIN, 0};
      fds[1] = {signals_.get(), POLLIN, 0};
      for (int role = 0; role < kRoles; ++role) fds[2 + role] = {processes_[role].ready.get(), POLLIN, 0};
      if (poll(fds.data(), fds.size(), KillStopped()) < 0 && errno != EINTR)
        return ErrnoStatus(errno, "watch the farm");
      if (fds[0].revents != 0) return absl::OkStatus();  // the client never writes: its end has closed
      for (int role = 0; role < kRoles; ++role) {
        if (fds[2 + role].revents != 0) OnReadyPipe(processes_[role]);
      }
      if (fds[1].revents != 0) {
        bool terminated = false;
        RETURN_IF_ERROR(OnSignals(terminated));
        if (terminated) return Unavailable("the farm's supervisor was told to end");
      }
      // A coordinator answers with Redis; uploads need no worker.
      if (!announced_ && processes_[kCoordinator].was_ready) {
        announced_ = true;
        Say({{"address", "unix:" + Socket("coordinator.sock").string()}});
      }
    }
  }

  // A stopped process would hold everything up for ever: killed, it is started again. Milliseconds until one is due, -1:
  // none is.
  int KillStopped() {
    absl::Duration next = absl::InfiniteDuration();
    for (Process& process : processes_) {
      const absl::Duration left = process.stopped + kStoppedPatience - SteadyNow();
      if (left > absl::ZeroDuration()) {
        next = std::min(next, left);
        continue;
      }
      process.hung = true;
      process.stopped = absl::InfiniteFuture();
      kill(process.pid, SIGKILL);
    }
    return next == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(next)) + 1;
  }

  static void OnReadyPipe(Process& process) {
    char line[64];
    if (read(process.ready.get(), line, sizeof(line)) > 0) process.was_ready = true;
    process.ready.Reset();  // said, or died: SIGCHLD tells
  }

  absl::Status OnSignals(bool& terminated) {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) terminated |= info.ssi_signo == SIGTERM;
    int status = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
      for (int role = 0; role < kRoles; ++role) {
        if (processes_[role].pid != pid) continue;
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
          processes_[role].stopped = WIFSTOPPED(status) ? SteadyNow() : absl::InfiniteFuture();
        } else {
          RETURN_IF_ERROR(OnDeath(static_cast<Role>(role), status));
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status OnDeath(Role role, int wait_status) {
    Process& process = processes_[role];
    process.pid = -1;
    process.stopped = absl::InfiniteFuture();
    const std::string how = process.hung               ? "was stopped and did not go on"
                            : WIFSIGNALED(wait_status) ? fmt::format("was killed by signal {}", WTERMSIG(wait_status))
                                                       : fmt::format("ended with code {}", WEXITSTATUS(wait_status));
    process.hung = false;
    if (process.was_ready && process.starts <= kRestarts) return Start(role);
    return Unavailable("{} {}{}{}", process.name, how,
                       process.starts > 1 ? fmt::format(", {} times", process.starts) : "", LastWords(role));
  }

  std::string LastWords(Role role) const {
    absl::StatusOr<std::string> log = ReadFile(Log(role));
    if (!log.ok()) return "";
    const size_t end = log->find_last_not_of('\n') + 1;
    if (end == 0) return "";
    const size_t newline = log->rfind('\n', end - 1);
    const size_t start = newline == std::string::npos ? 0 : newline + 1;
    return ": " + log->substr(start, end - start);
  }

  void Say(const nlohmann::json& message) {
    (void)client_.Send(
        message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));  // a client that is gone needs no word
  }

  void AwaitClient() {
    pollfd fd = {client_.fd(), POLLIN, 0};
    while (poll(&fd, 1, -1) < 0 && errno == EINTR) {
    }
  }

  Channel client_;
  const EmbeddedFarmOptions& options_;
  const std::string password_ = RandomHex(32);
  std::optional<FarmFolders> folders_;
  Pipe life_;
  UniqueFd signals_;
  std::array<Process, kRoles> processes_{Process{"redis-server"}, Process{"slipway-coordinator"},
                                         Process{"slipway-worker"}};
  bool announced_ = false;
};

}  // namespace

int RunSupervisor(Channel client, const EmbeddedFarmOptions& options, FarmFolders folders) {
  return Supervisor(std::move(client), options, std::move(folders)).Run();
}

}  // namespace slipway
