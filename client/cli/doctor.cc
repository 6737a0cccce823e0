// slipway doctor: what this machine needs, each with the command that mends it.
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/verb.h"
#include "client/cli/waiting.h"
#include "client/embedded/embedded_farm.h"
#include "client/embedded/process.h"
#include "client/report/text.h"
#include "common/base/error.h"
#include "common/base/installation.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kRoom = 1'000'000'000;  // bytes: below that a real model's artifacts hardly fit

struct Finding {
  std::string subject;
  bool ok = false;
  std::string text;  // what was found, or how to mend it
};

struct Ended {
  int code = -1;
  std::string output;
};

absl::StatusOr<Ended> Capture(const std::vector<std::string>& arguments) {
  ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  ASSIGN_OR_RETURN(const pid_t pid, Spawn({arguments, {}, pipe.write.get()}));
  pipe.write.Reset();
  Ended ended;
  char buffer[4096];
  for (ssize_t n; (n = read(pipe.read.get(), buffer, sizeof(buffer))) > 0;)
    ended.output.append(buffer, static_cast<size_t>(n));
  int status = 0;
  waitpid(pid, &status, 0);
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  while (!ended.output.empty() && ended.output.back() == '\n') ended.output.pop_back();
  return ended;
}

Finding Redis() {
  const absl::StatusOr<fs::path> path = FindRedisServer();
  if (!path.ok()) return {"redis-server", false, Message(path.status())};
  const absl::StatusOr<Ended> version = Capture({path->string(), "--version"});
  if (!version.ok() || version->code != 0) return {"redis-server", false, path->string() + " does not run"};
  const size_t v = version->output.find("v=");
  const std::string number =
      v == std::string::npos ? "" : version->output.substr(v + 2, version->output.find(' ', v) - v - 2);
  if (std::atoi(number.c_str()) < 7)
    return {"redis-server", false, "version 7 or newer is needed, " + path->string() + " is " + number};
  return {"redis-server", true, number + " (" + path->string() + ")"};
}

Finding Binaries() {
  for (const char* name : {"slipway-coordinator", "slipway-worker"}) {
    const fs::path path = OwnFolder() / name;
    if (access(path.c_str(), X_OK) != 0)
      return {"binaries", false, path.string() + " is missing: it belongs beside slipway"};
  }
  return {"binaries", true, OwnFolder().string()};
}

Finding Runtime(const std::string& python, const std::string& judge, const std::string& module,
                const std::string& distribution) {
  // Imported, not only listed: a wheel for another CPU fails here. Telemetry off and HOME elsewhere, as the farm does it.
  const std::string program =
      "import os, tempfile, importlib, importlib.metadata as m\nos.environ['ORT_DISABLE_TELEMETRY'] = '1'\n"
      "with tempfile.TemporaryDirectory() as home:\n  os.environ['HOME'] = home\n  importlib.import_module('" +
      module + "')\n  print('version', m.version('" + distribution + "'))";
  const absl::StatusOr<Ended> ended = Capture({FindProgram(python), "-c", program});
  if (!ended.ok()) return {judge, false, Message(ended.status())};
  const size_t version = ended->output.rfind("version ");
  if (ended->code == 0 && version != std::string::npos)
    return {judge, true, ended->output.substr(version + 8) + " (" + python + ")"};
  const size_t line = ended->output.rfind('\n');
  const std::filesystem::path script =
      OwnFolder() / "slipway-runtimes";  // of an installation; a source tree has setup.sh
  return {judge, false,
          fmt::format("{} cannot import {} ({}): run {}, or name an interpreter with --python; artifacts end as "
                      "unverified without it",
                      python, module, ended->output.substr(line == std::string::npos ? 0 : line + 1),
                      access(script.c_str(), X_OK) == 0 ? script.string() : "deploy/setup.sh runtimes")};
}

Finding Seccomp() {
  if (access("/proc/sys/kernel/seccomp/actions_avail", R_OK) == 0) return {"seccomp", true, "available"};
  return {"seccomp", false, "this kernel has no seccomp filters: artifacts would be made outside a jail"};
}

Finding Landlock() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version > 0) return {"landlock", true, fmt::format("ABI {}", version)};
  return {"landlock", false,
          "this kernel has no Landlock (Linux 5.13, boot parameter lsm=…,landlock): jailed processes can read more "
          "than their inputs"};
}

Finding Room(const std::string& what, const fs::path& folder) {
  struct statvfs info;
  if (statvfs(folder.c_str(), &info) != 0) return {what, false, Message(ErrnoStatus(errno, folder.string()))};
  const uint64_t room = uint64_t{info.f_bavail} * info.f_frsize;
  const std::string text = fmt::format("{} free in {}", HumanBytes(room), folder.string());
  if (access(folder.c_str(), W_OK) != 0) return {what, false, folder.string() + " cannot be written to"};
  return {what, room >= kRoom, room >= kRoom ? text : text + ": make room"};
}

Finding Server(const Settings& settings) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return {"server", false, Message(farm.status())};
  absl::StatusOr<std::vector<v1::Worker>> workers = (*farm)->ListWorkers();
  if (!workers.ok()) return {"server", false, Message(workers.status())};
  std::erase_if(*workers, [](const v1::Worker& worker) { return worker.silent(); });
  if (workers->empty())
    return {"server", false,
            settings.Text("server") + " has no worker: start slipway-worker, unless the farm starts workers itself"};
  std::string missing;
  for (const auto& [name, _] : UnservedOnly({{"onnxruntime", 1}, {"litert", 1}, {"ncnn", 1}}, *workers))
    missing += (missing.empty() ? "; no worker offers " : ", ") + name;
  return {"server", true,
          fmt::format("{}: {} {}{}", settings.Text("server"), workers->size(),
                      workers->size() == 1 ? "worker" : "workers", missing)};
}

}  // namespace

int RunDoctor(const Settings& settings, const Arguments&) {
  const std::string python = settings.Text("python", DefaultPython());
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  // Before the server: its client starts threads.
  std::vector<Finding> findings = {Binaries(),
                                   Redis(),
                                   Runtime(python, "onnxruntime", "onnxruntime", "onnxruntime"),
                                   Runtime(python, "litert", "ai_edge_litert.interpreter", "ai-edge-litert"),
                                   Runtime(python, "ncnn", "ncnn", "ncnn"),
                                   Seccomp(),
                                   Landlock(),
                                   Room("temporary folder", error ? "/tmp" : temporary),
                                   Room("this folder", ".")};
  if (settings.Has("server")) findings.push_back(Server(settings));
  bool ok = true;
  std::vector<std::vector<std::string>> rows;
  for (const Finding& finding : findings) {
    ok = ok && finding.ok;
    if (settings.Switch("json")) {
      const nlohmann::ordered_json event = {
          {"event", "finding"}, {"subject", finding.subject}, {"ok", finding.ok}, {"text", finding.text}};
      std::puts(event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    }
    rows.push_back({finding.ok ? "ok " : "fix", finding.subject, finding.text});
  }
  if (!settings.Switch("json")) {
    for (const std::string& line : Columns(rows)) std::puts(line.c_str());
  }
  return ok ? kExitOk : kExitMachine;
}

}  // namespace slipway::cli
