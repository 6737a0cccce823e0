#include "tests/client/command.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/manifest/manifest.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

Ended Reap(pid_t pid) {
  Ended ended;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  return ended;
}

std::vector<std::string> ProcessNumbers() {
  std::vector<std::string> numbers;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') numbers.emplace_back(entry->d_name);
  }
  closedir(proc);
  return numbers;
}

}  // namespace

Running::~Running() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    Reap(pid_);
  }
}

void Running::Signal(int number) const { kill(pid_, number); }

Ended Running::Wait() {
  Ended ended = Reap(std::exchange(pid_, -1));
  ended.out = ReadAll(output_ / "out");
  ended.err = ReadAll(output_ / "err");
  return ended;
}

std::string Running::OutputSoFar() const { return ReadAll(output_ / "out"); }
std::string Running::ErrorsSoFar() const { return ReadAll(output_ / "err"); }

Sandbox::Sandbox() : folder_(TemporaryFolder::Create("/tmp", "st-").value()) {
  for (const char* name : {"work", "run", "tmp", "home"}) fs::create_directory(folder_.path() / name);
}

Sandbox::~Sandbox() {
  // A red test must not leave its processes to the next one.
  for (const pid_t pid : Processes("")) kill(pid, SIGKILL);
}

fs::path Sandbox::File(const std::string& name, const std::string& content) const {
  const fs::path path = work() / name;
  fs::create_directories(path.parent_path());
  const absl::Status written = WriteFileAtomically(path, content);
  if (!written.ok()) throw std::runtime_error(Message(written));
  return path;
}

pid_t Sandbox::Spawn(const std::string& program, const std::vector<std::string>& arguments,
                     const Environment& environment, int out, int err) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (out >= 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
  }
  setenv("XDG_RUNTIME_DIR", (folder_.path() / "run").c_str(), 1);
  setenv("TMPDIR", (folder_.path() / "tmp").c_str(), 1);
  setenv("XDG_CACHE_HOME", (folder_.path() / "cache").c_str(), 1);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  if (chdir(work().c_str()) != 0) _exit(126);
  execv(program.c_str(), argv.data());
  _exit(127);
}

std::unique_ptr<Running> Sandbox::Start(const std::vector<std::string>& arguments, const Environment& environment) {
  return StartProgram(Slipway(), arguments, environment);
}

std::unique_ptr<Running> Sandbox::StartProgram(const std::string& program, const std::vector<std::string>& arguments,
                                               const Environment& environment) {
  const fs::path output = folder_.path() / ("run-" + std::to_string(runs_++));
  fs::create_directory(output);
  const UniqueFd out(open((output / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const UniqueFd err(open((output / "err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return std::make_unique<Running>(Spawn(program, arguments, environment, out.get(), err.get()), output);
}

Ended Sandbox::Run(const std::vector<std::string>& arguments, const Environment& environment) {
  return Start(arguments, environment)->Wait();
}

Ended Sandbox::RunOnTerminal(const std::vector<std::string>& arguments, const Environment& environment) {
  winsize size{24, 80, 0, 0};
  int terminal = -1, theirs = -1;
  if (openpty(&terminal, &theirs, nullptr, nullptr, &size) != 0) throw std::runtime_error("no pseudo-terminal");
  const UniqueFd ours(terminal);
  const pid_t pid = Spawn(Slipway(), arguments, environment, theirs, theirs);
  close(theirs);
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = read(ours.get(), buffer, sizeof(buffer))) > 0;) out.append(buffer, static_cast<size_t>(n));
  Ended ended = Reap(pid);
  ended.out = out;
  return ended;
}

std::vector<pid_t> Sandbox::Processes(const std::string& binary) const {
  std::vector<pid_t> pids;
  for (const std::string& number : ProcessNumbers()) {
    const fs::path proc = fs::path("/proc") / number;
    absl::StatusOr<std::string> line = ReadFile(proc / "cmdline");
    absl::StatusOr<std::string> variables = ReadFile(proc / "environ");
    if (!line.ok() || !variables.ok()) continue;
    const std::string ours = folder_.path().string() + "/";
    if (line->find(ours) == std::string::npos && variables->find(ours) == std::string::npos) continue;
    // redis-server writes what it does behind its name.
    const std::string first = line->substr(0, line->find_first_of(std::string_view("\0 ", 2)));
    if (binary.empty() || fs::path(first).filename() == binary) pids.push_back(std::atoi(number.c_str()));
  }
  return pids;
}

std::vector<std::string> Sandbox::Leftovers() const {
  std::vector<std::string> left;
  for (const pid_t pid : Processes("")) {
    std::string line = ReadFile("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
    for (char& c : line) c = c == '\0' ? ' ' : c;
    left.push_back("process " + std::to_string(pid) + " " + line);
  }
  for (const char* name : {"run", "tmp"}) {
    for (const auto& entry : fs::directory_iterator(folder_.path() / name)) left.push_back(entry.path().string());
  }
  return left;
}

bool Sandbox::FarmIsUp() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_.path() / "run", error)) {
    if (fs::exists(entry.path() / "coordinator.sock", error) && !Processes("slipway-worker").empty()) return true;
  }
  return false;
}

SmallDisk::SmallDisk(const fs::path& folder, int kilobytes) : folder_(folder) {
  fs::create_directories(folder);
  const std::string size = "size=" + std::to_string(kilobytes) + "k";
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, size.c_str()) != 0)
    throw std::runtime_error("cannot mount a small disk: run as root");
}

SmallDisk::~SmallDisk() { umount(folder_.c_str()); }

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

std::string Slipway() { return std::string(SLIPWAY_BIN_DIR) + "/slipway"; }

std::string Weights(const std::string& net) {
  const char* folder = std::getenv("SLIPWAY_MTCNN");
  if (folder == nullptr) throw std::runtime_error("SLIPWAY_MTCNN is not set: run the tests by tests/run.sh");
  return std::string(folder) + "/" + net + ".pt";
}

std::string ReadAll(const fs::path& path) { return ReadFile(path).value_or(""); }

std::vector<std::string> SchemaErrors(const std::string& manifest) {
  const nlohmann::json schema_json = nlohmann::json::parse(ManifestSchema());
  const nlohmann::json document = nlohmann::json::parse(manifest, nullptr, false);
  if (document.is_discarded()) return {"no JSON: " + manifest.substr(0, 200)};
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_json), schema);
  valijson::Validator validator;
  valijson::ValidationResults results;
  std::vector<std::string> errors;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results)) return errors;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    std::string where;
    for (const std::string& part : error.context) where += part;
    errors.push_back(where + ": " + error.description);
  }
  return errors;
}

}  // namespace slipway
