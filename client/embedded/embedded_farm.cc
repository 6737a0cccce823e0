#include "client/embedded/embedded_farm.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "client/embedded/process.h"
#include "client/embedded/supervisor.h"
#include "common/base/error.h"

namespace slipway {
namespace fs = std::filesystem;

absl::StatusOr<fs::path> FindRedisServer() {
  const char* variable = std::getenv("PATH");
  std::string_view path = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!path.empty()) {
    const size_t end = path.find(':');
    const fs::path candidate = fs::path(path.substr(0, end)) / "redis-server";
    if (access(candidate.c_str(), X_OK) == 0) return fs::absolute(candidate);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return FailedPrecondition(
      "redis-server is not installed (not on PATH): `sudo apt-get install redis-server && sudo systemctl disable --now "
      "redis-server`, or name a farm with --server HOST:PORT");
}

absl::StatusOr<fs::path> MakeCacheFolder(const fs::path& named) {
  fs::path folder = named;
  if (folder.empty()) {
    const char* caches = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    if (caches != nullptr && *caches == '/') {
      folder = fs::path(caches) / "slipway";
    } else if (home != nullptr && *home == '/') {
      folder = fs::path(home) / ".cache/slipway";
    } else {
      return fs::path();
    }
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && access(folder.c_str(), W_OK | X_OK) != 0) error.assign(errno, std::generic_category());
  if (!error) return fs::absolute(folder);
  if (named.empty()) return fs::path();
  return ErrnoStatus(error.value(), fmt::format("--cache-dir {}", named.string()));
}

absl::StatusOr<std::unique_ptr<EmbeddedFarm>> EmbeddedFarm::Start(const EmbeddedFarmOptions& options) {
  for (const char* binary : {"slipway-coordinator", "slipway-worker"}) {
    const fs::path path = options.binaries / binary;
    if (access(path.c_str(), X_OK) != 0) {
      return FailedPrecondition("{} is missing: it belongs beside the slipway binary", path.string());
    }
  }
  ASSIGN_OR_RETURN(auto ends, Channel::CreatePair());
  ASSIGN_OR_RETURN(TemporaryFolder sockets, TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-"));
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  ASSIGN_OR_RETURN(TemporaryFolder data, TemporaryFolder::Create(error ? "/tmp" : temporary, "slipway-"));
  FarmFolders folders{std::move(sockets), std::move(data), options.cache};
  // What a killed supervisor leaves is ours to end.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "start the farm's supervisor");
  if (pid == 0) {
    ends.first.Close();
    _exit(RunSupervisor(std::move(ends.second), options, std::move(folders)));
  }
  return std::unique_ptr<EmbeddedFarm>(new EmbeddedFarm(pid, std::move(ends.first), std::move(folders)));
}

absl::StatusOr<std::string> EmbeddedFarm::WaitReady(absl::Time deadline) {
  absl::StatusOr<Frame> frame = channel_.Receive(deadline);
  if (!frame.ok()) {
    if (absl::IsDeadlineExceeded(frame.status())) return Unavailable("the embedded farm did not start in time");
    return Unavailable("the embedded farm's supervisor died");
  }
  const nlohmann::json message = nlohmann::json::parse(frame->body, nullptr, false);
  if (message.is_object() && message.contains("address")) return message["address"].get<std::string>();
  return Unavailable("the embedded farm cannot start: {}",
                     message.is_object() ? message.value("error", "no reason given") : frame->body);
}

absl::Status EmbeddedFarm::WaitForFailure() {
  absl::StatusOr<Frame> frame = channel_.Receive();
  if (stopped_) return Cancelled("the embedded farm has ended");
  if (!frame.ok()) return Unavailable("the embedded farm's supervisor died");
  const nlohmann::json message = nlohmann::json::parse(frame->body, nullptr, false);
  return Unavailable("the embedded farm failed: {}",
                     message.is_object() ? message.value("error", "no reason given") : frame->body);
}

LocalStoreOptions EmbeddedFarm::store() const { return {.root = store_, .ephemeral = true}; }

void EmbeddedFarm::Stop() {
  const std::lock_guard lock(stopping_);
  if (supervisor_ < 0) return;
  stopped_ = true;
  // Shut down rather than closed: another thread may be receiving on it.
  shutdown(channel_.fd(), SHUT_RDWR);
  kill(supervisor_, SIGCONT);  // a stopped one would not notice
  int status = 0;
  while (waitpid(supervisor_, &status, 0) < 0 && errno == EINTR) {
  }
  supervisor_ = -1;
  if (WIFSIGNALED(status)) KillDescendants();
  folders_.reset();
}

}  // namespace slipway
