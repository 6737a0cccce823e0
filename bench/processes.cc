#include "bench/processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "absl/time/clock.h"
#include "client/embedded/embedded_farm.h"
#include "client/embedded/process.h"
#include "common/base/error.h"
#include "common/base/installation.h"
#include "common/queue/endpoint.h"
#include "common/queue/redis_queue.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kAnswer = absl::Seconds(60);
constexpr absl::Duration kStartPatience = absl::Seconds(20);
constexpr int kReadyFd = 3;  // the daemon's number of the pipe on which it says that it is ready

void AddChildren(pid_t pid, std::vector<pid_t>& found) {
  std::error_code ignored;
  for (const auto& thread : fs::directory_iterator(fmt::format("/proc/{}/task", pid), ignored)) {
    std::ifstream children(thread.path() / "children");
    for (pid_t child; children >> child;) {
      found.push_back(child);
      AddChildren(child, found);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisProcess>> RedisProcess::Start() {
  ASSIGN_OR_RETURN(const fs::path binary, FindRedisServer());
  ASSIGN_OR_RETURN(TemporaryFolder folder,
                   TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-bench-redis-"));
  std::unique_ptr<RedisProcess> server(new RedisProcess(std::move(folder)));
  ASSIGN_OR_RETURN(Pipe config, MakePipe());
  ASSIGN_OR_RETURN(server->pid_, Spawn({.arguments = {binary.string(), "-"}, .fds = {{config.read.get(), 0}}}));
  const std::string text = fmt::format(
      "port 0\nunixsocket {0}/redis.sock\nunixsocketperm 700\nsave \"\"\nappendonly yes\nappendfsync everysec\n"
      "auto-aof-rewrite-percentage 100\nmaxmemory-policy noeviction\nloglevel warning\nlogfile {0}/log\ndaemonize "
      "no\ndir {0}\n",
      server->folder_.path().string());
  if (write(config.write.get(), text.data(), text.size()) < 0) return ErrnoStatus(errno, "configure redis-server");
  config.write.Reset();
  ASSIGN_OR_RETURN(const Endpoint endpoint, MakeEndpoint({.address = server->address()}));
  const absl::Time deadline = absl::Now() + kStartPatience;
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(endpoint, deadline);
  while (!connection.ok() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
    connection = Connection::Open(endpoint, deadline);
  }
  RETURN_IF_ERROR(connection.status());
  return server;
}

RedisProcess::~RedisProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

absl::StatusOr<std::unique_ptr<Connection>> RedisProcess::Connect(const QueueOptions& options) {
  ASSIGN_OR_RETURN(Endpoint endpoint, MakeEndpoint(options));
  endpoint.meta_key = KeyPrefix(options) + "meta";
  return Connection::Open(endpoint, absl::Now() + kAnswer);
}

absl::StatusOr<double> RedisProcess::BytesUsed(Connection& connection) {
  ASSIGN_OR_RETURN(const Reply info,
                   connection.Call(std::vector<std::string>{"INFO", "memory"}, absl::Now() + kAnswer));
  return std::strtod(InfoField(Text(info.get()), "used_memory").c_str(), nullptr);
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(std::string_view binary, std::vector<std::string> arguments,
                                                      const fs::path& log) {
  std::unique_ptr<Daemon> daemon(new Daemon);
  ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  const UniqueFd output(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  arguments.insert(arguments.begin(), (OwnFolder() / binary).string());
  arguments.insert(arguments.end(), {"--ready-fd", std::to_string(kReadyFd)});
  ASSIGN_OR_RETURN(
      daemon->pid_,
      Spawn({.arguments = std::move(arguments), .fds = {{pipe.write.get(), kReadyFd}}, .output = output.get()}));
  pipe.write.Reset();
  char line[256];
  const ssize_t size = read(pipe.read.get(), line, sizeof(line));
  if (size <= 0) return Unavailable("{} did not start; its log is {}", binary, log.string());
  daemon->ready_ = std::string(line, static_cast<size_t>(size));
  daemon->ready_.resize(daemon->ready_.find_last_not_of('\n') + 1);
  return daemon;
}

void Daemon::Kill() {
  if (pid_ < 0) return;
  const std::vector<pid_t> children = Children();
  kill(pid_, SIGKILL);
  for (const pid_t child : children) kill(child, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::vector<pid_t> Daemon::Children() const {
  std::vector<pid_t> found;
  AddChildren(pid_, found);
  return found;
}

double Daemon::AnonymousMiB() const {
  std::ifstream status(fmt::format("/proc/{}/status", pid_));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::strtod(line.c_str() + 8, nullptr) / 1024;
  }
  return 0;
}

absl::StatusOr<std::unique_ptr<FarmProcesses>> FarmProcesses::Start(double lease) {
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Create(error ? "/tmp" : temporary, "slipway-bench-"));
  std::unique_ptr<FarmProcesses> farm(new FarmProcesses(std::move(folder), lease));
  ASSIGN_OR_RETURN(farm->redis_, RedisProcess::Start());
  return farm;
}

std::vector<std::string> FarmProcesses::Arguments() const {
  return {"--redis", redis_->address(),        "--store", (folder_.path() / "store").string(), "--ephemeral-store",
          "--lease", fmt::format("{}", lease_)};
}

absl::StatusOr<std::unique_ptr<Daemon>> FarmProcesses::StartCoordinator(const std::string& address) const {
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.end(), {"--listen", address});
  return Daemon::Start("slipway-coordinator", std::move(arguments), folder_.path() / "coordinator.log");
}

absl::StatusOr<std::unique_ptr<Daemon>> FarmProcesses::StartWorker() const {
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.end(), {"--scratch", (folder_.path() / "scratch").string(), "--slots", "1", "--take-all"});
  fs::create_directories(folder_.path() / "scratch");
  return Daemon::Start("slipway-worker", std::move(arguments), folder_.path() / "worker.log");
}

QueueOptions FarmProcesses::queue_options() const {
  QueueOptions options;
  options.address = redis_->address();
  options.lease = absl::Seconds(lease_);
  return options;
}

absl::StatusOr<double> FarmProcesses::RedisBytes() const {
  ASSIGN_OR_RETURN(const auto connection, RedisProcess::Connect(queue_options()));
  return RedisProcess::BytesUsed(*connection);
}

}  // namespace slipway
