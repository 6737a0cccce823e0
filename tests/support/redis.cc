#include "tests/support/redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

// Reads the log up to the line with `word`.
absl::Status AwaitReady(int log, std::string_view word) {
  std::string text;
  while (text.find(word) == std::string::npos) {
    char buffer[4096];
    ssize_t count = ::read(log, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Unavailable("redis-server ended: {}", text);
    text.append(buffer, count);
  }
  return absl::OkStatus();
}

// One that was free a moment ago.
int FreePort() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

constexpr int kPortsTried = 20;  // another process may take one first

}  // namespace

RedisServer::RedisServer(const RedisOptions& options)
    : options_(options), folder_(TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-redis-").value()) {
  if (options_.port == RedisOptions::Port::kNone) {
    Restart();
    return;
  }
  absl::Status status;
  for (int tried = 0; tried < kPortsTried; ++tried) {
    port_ = FreePort();
    status = Run();
    if (status.ok()) return;
    Kill9();
  }
  throw std::runtime_error(Message(status));
}

RedisServer::~RedisServer() { Kill9(); }

std::string RedisServer::address() const { return "unix:" + (folder_.path() / "redis.sock").string(); }

void RedisServer::Restart() {
  if (absl::Status status = Run(); !status.ok()) throw std::runtime_error(Message(status));
}

void RedisServer::Start(const std::vector<std::string>& config) {
  if (absl::Status status = Launch(config); !status.ok()) throw std::runtime_error(Message(status));
}

absl::Status RedisServer::Run() {
  RETURN_IF_ERROR(Launch({}));
  // "ready to accept connections at" is of the Unix socket, the last to be served.
  return AwaitReady(output_.get(), options_.sentinel ? "+monitor master" : "ready to accept connections at");
}

absl::Status RedisServer::Launch(const std::vector<std::string>& further) {
  const bool encrypted = options_.port == RedisOptions::Port::kTls;
  std::string config = fmt::format("port {}\ntls-port {}\nbind 127.0.0.1\ndir {}\ndaemonize no\nprotected-mode no\n",
                                   encrypted ? 0 : port_, encrypted ? port_ : 0, folder_.path().string());
  if (!options_.sentinel)
    config += fmt::format("unixsocket {}/redis.sock\nunixsocketperm 700\nsave \"\"\n", folder_.path().string());
  if (!options_.password.empty()) config += "requirepass " + options_.password + "\n";
  if (options_.persistent) config += "appendonly yes\nappendfsync always\n";
  for (const std::string& line : options_.config) config += line + "\n";
  for (const std::string& line : further) config += line + "\n";
  // A file, since sentinels write to theirs.
  const std::string file = (folder_.path() / "redis.conf").string();
  RETURN_IF_ERROR(WriteFileAtomically(file, config));

  ASSIGN_OR_RETURN(Pipe output, MakePipe());
  pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return ErrnoStatus(errno, "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(output.write.get(), 1);
    ::dup2(output.write.get(), 2);
    ::execlp("redis-server", "redis-server", file.c_str(), options_.sentinel ? "--sentinel" : nullptr, nullptr);
    ::_exit(127);
  }
  output.write.Reset();
  output_ = std::move(output.read);
  return absl::OkStatus();
}

void RedisServer::End(int signal) {
  if (pid_ <= 0) return;
  ::kill(pid_, signal);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void RedisServer::Kill9() { End(SIGKILL); }
void RedisServer::Signal(int signal) const { ::kill(pid_, signal); }
void RedisServer::Stop() { End(SIGTERM); }

}  // namespace slipway
