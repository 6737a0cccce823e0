#include "tests/support/redis.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "common/base/error.h"

namespace slipway {
namespace {

struct Pipe {
  UniqueFd read, write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Reads the log up to the line that says the Unix socket is served ("ready to accept connections at" is of TCP ports).
absl::Status AwaitReady(int log) {
  std::string text;
  while (text.find("ready to accept connections at") == std::string::npos) {
    char buffer[4096];
    ssize_t count = ::read(log, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Unavailable("redis-server ended: {}", text);
    text.append(buffer, count);
  }
  return absl::OkStatus();
}

}  // namespace

RedisServer::RedisServer(const RedisOptions& options)
    : options_(options), folder_(TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-redis-").value()) {
  Restart();
}

RedisServer::~RedisServer() { Kill9(); }

std::string RedisServer::address() const { return "unix:" + (folder_.path() / "redis.sock").string(); }

void RedisServer::Restart() {
  if (absl::Status status = Run(); !status.ok()) throw std::runtime_error(Message(status));
}

absl::Status RedisServer::Run() {
  std::string config =
      fmt::format("port 0\nunixsocket {0}/redis.sock\nunixsocketperm 700\ndir {0}\nsave \"\"\ndaemonize no\n",
                  folder_.path().string());
  if (!options_.password.empty()) config += "requirepass " + options_.password + "\n";
  if (options_.persistent) config += "appendonly yes\nappendfsync always\n";
  for (const std::string& line : options_.config) config += line + "\n";

  ASSIGN_OR_RETURN(Pipe input, MakePipe());
  ASSIGN_OR_RETURN(Pipe output, MakePipe());
  pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return ErrnoStatus(errno, "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(input.read.get(), 0);
    ::dup2(output.write.get(), 1);
    ::dup2(output.write.get(), 2);
    ::execlp("redis-server", "redis-server", "-", nullptr);
    ::_exit(127);
  }
  input.read.Reset();
  output.write.Reset();
  if (::write(input.write.get(), config.data(), config.size()) != static_cast<ssize_t>(config.size()))
    return ErrnoStatus(errno, "write redis.conf");
  input.write.Reset();
  output_ = std::move(output.read);
  return AwaitReady(output_.get());
}

void RedisServer::End(int signal) {
  if (pid_ <= 0) return;
  ::kill(pid_, signal);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void RedisServer::Kill9() { End(SIGKILL); }
void RedisServer::Stop() { End(SIGTERM); }

}  // namespace slipway
