#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>

#include "common/base/error.h"
#include "convert/runtimes/runtime.h"

namespace slipway {
namespace {

constexpr int kHostConnection = 3;

bool IsHostName(std::string_view runtime) {
  return runtime == "onnxruntime" || runtime == "litert" || runtime == "ncnn";
}

// SLIPWAY_HOSTS, else where an installed binary finds them (bin/../share/slipway/hosts), else the source tree.
std::filesystem::path HostScripts() {
  if (const char* folder = std::getenv("SLIPWAY_HOSTS"); folder != nullptr && *folder != '\0') return folder;
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    std::filesystem::path installed = binary.parent_path().parent_path() / "share" / "slipway" / "hosts";
    if (std::filesystem::is_directory(installed, error)) return installed;
  }
  return SLIPWAY_HOSTS_SOURCE;
}

class SpawnedHost {
 public:
  static absl::StatusOr<std::unique_ptr<SpawnedHost>> Start(std::string_view runtime,
                                                            const std::filesystem::path& python,
                                                            const std::filesystem::path& scratch);
  SpawnedHost(pid_t pid, Channel channel) : pid_(pid), channel_(std::make_shared<Channel>(std::move(channel))) {}
  ~SpawnedHost() {
    channel_->Close();
    kill(pid_, SIGKILL);  // it holds nothing that a clean exit would save
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  const std::shared_ptr<Channel>& channel() const { return channel_; }

 private:
  pid_t pid_;
  std::shared_ptr<Channel> channel_;
};

absl::StatusOr<std::unique_ptr<SpawnedHost>> SpawnedHost::Start(std::string_view runtime,
                                                                const std::filesystem::path& python,
                                                                const std::filesystem::path& scratch) {
  if (access(python.c_str(), X_OK) != 0) {
    return NotFound("{} has no host: the Python interpreter '{}' cannot be run", runtime, python.string());
  }
  ASSIGN_OR_RETURN(auto ends, Channel::CreatePair());
  std::vector<std::string> command = HostCommand(runtime, python);
  std::vector<char*> argv;
  for (std::string& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);

  std::vector<std::string> environment = {"ORT_DISABLE_TELEMETRY=1", "HOME=" + scratch.string()};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("HOME=") && !text.starts_with("ORT_DISABLE_TELEMETRY=")) environment.emplace_back(text);
  }
  std::vector<char*> envp;
  for (std::string& variable : environment) envp.push_back(variable.data());
  envp.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends.second.fd(), kHostConnection);
  // Runtimes chatter; their errors come as answers.
  if (std::getenv("SLIPWAY_LOG") == nullptr)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, "start the " + std::string(runtime) + " host");
  return std::make_unique<SpawnedHost>(pid, std::move(ends.first));
}

class SpawningProvider final : public HostProvider {
 public:
  SpawningProvider(std::filesystem::path python, std::filesystem::path scratch)
      : python_(std::move(python)), scratch_(std::move(scratch)) {}

  absl::StatusOr<std::shared_ptr<Channel>> Acquire(std::string_view runtime) override {
    if (!IsHostName(runtime)) return NotFound("there is no runtime '{}'", runtime);
    std::unique_ptr<SpawnedHost>& host = hosts_[std::string(runtime)];
    // A session that finds its host dead closes the channel.
    if (host == nullptr || !host->channel()->valid()) {
      host.reset();
      ASSIGN_OR_RETURN(host, SpawnedHost::Start(runtime, python_, scratch_));
    }
    return host->channel();
  }
  std::filesystem::path scratch() const override { return scratch_; }

 private:
  std::filesystem::path python_;
  std::filesystem::path scratch_;
  std::map<std::string, std::unique_ptr<SpawnedHost>> hosts_;
};

}  // namespace

std::vector<std::string> HostCommand(std::string_view runtime, const std::filesystem::path& python) {
  // No PYTHON* variables, no user packages, no bytecode written.
  return {python.string(), "-E", "-s", "-B", (HostScripts() / (std::string(runtime) + "_host.py")).string()};
}

std::unique_ptr<HostProvider> SpawningHosts(std::filesystem::path python, std::filesystem::path scratch) {
  return std::make_unique<SpawningProvider>(std::move(python), std::move(scratch));
}

}  // namespace slipway
