#include "worker/daemon/host_pool.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/metrics/metrics.h"
#include "convert/runtimes/runtime.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const metrics::Counter kStarts("slipway_worker_judge_starts_total", "Judge processes started, by runtime.",
                               {"runtime"});
const metrics::Counter kFailures("slipway_worker_judge_failures_total",
                                 "Judge processes that died, did not answer or were left broken, by runtime.",
                                 {"runtime"});

constexpr std::string_view kRuntimes[] = {"onnxruntime", "litert", "ncnn"};
constexpr absl::Duration kMissingFor = absl::Minutes(1);
constexpr absl::Duration kEchoTimeout = absl::Seconds(10);  // of a host that has worked before
constexpr const char* kSystemReadable[] = {
    "/usr",      "/lib",        "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc", "/sys/devices/system/cpu",
    "/dev/null", "/dev/urandom"};

// "home = /usr/bin" of a virtual environment: where the interpreter that it borrows lies.
fs::path BaseInterpreterFolder(const fs::path& environment) {
  absl::StatusOr<std::string> text = ReadFile(environment / "pyvenv.cfg");
  if (!text.ok()) return {};
  std::stringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("home = ")) return line.substr(7);
  }
  return {};
}

}  // namespace

fs::path FindInPath(const fs::path& program) {
  if (program.empty()) return program;
  if (program.has_parent_path()) return fs::absolute(program);
  const char* path = getenv("PATH");
  std::stringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && access((fs::path(folder) / program).c_str(), X_OK) == 0) return fs::path(folder) / program;
  }
  return program;
}

std::vector<fs::path> HostReadable(const fs::path& python, const std::vector<std::string>& argv) {
  std::vector<fs::path> readable(std::begin(kSystemReadable), std::end(kSystemReadable));
  const auto add = [&](const fs::path& folder) {
    // A prefix of "/" (an interpreter in /bin) would open everything; /usr is there already.
    if (folder.has_relative_path()) readable.push_back(folder);
  };
  const fs::path environment = python.parent_path().parent_path();
  add(environment);
  if (const fs::path home = BaseInterpreterFolder(environment); !home.empty()) add(home.parent_path());
  std::error_code ignored;
  if (const fs::path real = fs::canonical(python, ignored); !ignored) add(real.parent_path().parent_path());
  for (size_t i = 1; i < argv.size(); ++i) {
    const fs::path script = argv[i];
    if (script.is_absolute() && fs::exists(script, ignored)) add(script.parent_path());
  }
  return readable;
}

HostPool::HostPool(Zygote& zygote, const WorkerScratch& scratch, HostPoolOptions options)
    : zygote_(zygote), scratch_(scratch), options_([&] {
        options.python = FindInPath(options.python);
        return std::move(options);
      }()) {}

void HostPool::Prewarm(const std::vector<std::string>& runtimes) {
  std::lock_guard lock(mutex_);
  for (const std::string& runtime : runtimes) {
    if (auto host = Spawn(runtime); !host.ok())
      LogWarning("cannot start a judge", {{"runtime", runtime}, {"reason", Message(host.status())}});
  }
}

absl::StatusOr<HostPool::Hosts::iterator> HostPool::Spawn(const std::string& runtime) {
  ASSIGN_OR_RETURN(auto ends, Channel::CreatePair());
  ASSIGN_OR_RETURN(Errors errors, Errors::Create());
  ASSIGN_OR_RETURN(fs::path scratch, scratch_.NewFolder("host"));
  SpawnRequest request;
  request.argv = HostCommand(runtime, options_.python);
  request.environment = {"PATH=/usr/bin:/bin",         "LC_ALL=C.UTF-8",          "HOME=" + scratch.string(),
                         "TMPDIR=" + scratch.string(), "ORT_DISABLE_TELEMETRY=1", "OMP_NUM_THREADS=1",
                         "PYTHONDONTWRITEBYTECODE=1",  "PYTHONNOUSERSITE=1"};
  request.scratch = scratch;
  request.readable = HostReadable(options_.python, request.argv);
  request.openable = {scratch_.path()};
  request.require_jail = options_.require_jail;
  request.max_memory = options_.max_memory;
  request.connection = ends.second.fd();
  request.errors = errors.fd();
  ASSIGN_OR_RETURN(const uint64_t id, zygote_.Spawn(request));
  kStarts.Add({runtime});
  // The greeting is asked for now and read by whoever borrows the host.
  RETURN_IF_ERROR(ends.first.Send(R"({"op":"hello"})"));
  hosts_.push_back(Host{.id = id,
                        .runtime = runtime,
                        .connection = std::move(ends.first),
                        .errors = std::move(errors),
                        .scratch = scratch});
  return std::prev(hosts_.end());
}

void HostPool::Drop(Hosts::iterator host) {
  if (!host->dead) zygote_.Kill(host->id);
  std::error_code ignored;
  fs::remove_all(host->scratch, ignored);
  hosts_.erase(host);
}

absl::Status HostPool::WhyDead(Host& host) {
  const auto exit = zygote_.WaitExit(host.id, SteadyNow() + absl::Seconds(5));
  const std::string words = host.errors.LastLine();
  const std::string how = fmt::format("the {} judge {}{}{}", host.runtime, exit ? Describe(*exit) : "does not answer",
                                      words.empty() ? "" : ": ", words);
  // An interpreter that is absent or has no such package ends by itself; a signal is another matter.
  if (exit && exit->error.empty() && exit->signal == 0 && exit->code != 125 && !host.worked) return NotFound("{}", how);
  return Unavailable("{}", how);
}

absl::Status HostPool::Greet(Host& host) {
  absl::StatusOr<Frame> frame =
      host.connection.Receive(SteadyNow() + (host.worked ? kEchoTimeout : options_.start_timeout));
  if (absl::IsDeadlineExceeded(frame.status())) return Unavailable("the {} judge does not answer", host.runtime);
  if (!frame.ok()) return WhyDead(host);
  const json greeting = json::parse(frame->body, nullptr, /*allow_exceptions=*/false);
  if (greeting.is_object() && greeting.value("code", json()) == "NOT_FOUND") {
    const json error = greeting.value("error", json());
    return NotFound("{}",
                    error.is_string() ? error.get<std::string>() : fmt::format("{} is not installed", host.runtime));
  }
  // Anything else is the late answer to an earlier borrower's question.
  if (!greeting.is_object() || !greeting.contains("version"))
    return Unavailable("the {} judge is out of step", host.runtime);
  // It may have answered and died since: then its end of stream waits behind the answer.
  pollfd state{host.connection.fd(), POLLIN, 0};
  if (poll(&state, 1, 0) != 0) return WhyDead(host);
  return absl::OkStatus();
}

absl::StatusOr<HostPool::Loan> HostPool::Lend(std::string_view runtime, std::string_view tenant) {
  // The name comes from a child, and would become part of a path.
  if (std::find(std::begin(kRuntimes), std::end(kRuntimes), runtime) == std::end(kRuntimes))
    return NotFound("there is no such judge");
  for (;;) {
    Hosts::iterator host;
    {
      std::lock_guard lock(mutex_);
      if (auto missing = missing_.find(runtime); missing != missing_.end()) {
        if (SteadyNow() < missing->second.first) return NotFound("{}", missing->second.second);
        missing_.erase(missing);
      }
      // A jail holds on to the folders that it opened: where somebody removed them, this host can read nothing that came since.
      for (auto it = hosts_.begin(); it != hosts_.end();) {
        std::error_code ignored;
        const auto next = std::next(it);
        if (it->runtime == runtime && !it->lent && !fs::exists(it->scratch, ignored)) Drop(it);
        it = next;
      }
      const auto free_for = [&](std::string_view owner) {
        return std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& h) {
          return h.runtime == runtime && !h.lent && !h.dead && h.tenant == owner;
        });
      };
      host = free_for(tenant);
      if (host == hosts_.end()) host = free_for("");
      if (host == hosts_.end()) {
        const auto other =
            std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& h) { return h.runtime == runtime && !h.lent; });
        if (other != hosts_.end()) Drop(other);
        ASSIGN_OR_RETURN(host, Spawn(std::string(runtime)));
      }
      host->lent = true;
      host->tenant = tenant;
      ++host->uses;
    }
    const bool had_worked = host->worked;
    const absl::Status greeted = Greet(*host);
    std::lock_guard lock(mutex_);
    if (greeted.ok()) {
      host->worked = true;
      host->errors.Clear();  // what it says from now on is of this loan
      return Loan{host->id, host->connection.fd()};
    }
    kFailures.Add({host->runtime});
    LogWarning("a judge host failed", {{"runtime", host->runtime}, {"reason", Message(greeted)}});
    if (absl::IsNotFound(greeted)) missing_[host->runtime] = {SteadyNow() + kMissingFor, Message(greeted)};
    Drop(host);
    if (!had_worked) return greeted;
    // It died while idle: nobody's fault, and a fresh one has had no chance yet.
  }
}

std::string HostPool::Return(uint64_t id, bool healthy) {
  std::unique_lock lock(mutex_);
  const auto host = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& h) { return h.id == id; });
  if (host == hosts_.end()) return "";
  std::string death;
  pollfd state{host->connection.fd(), POLLIN, 0};
  if (host->dead || (poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0)) {
    lock.unlock();  // lent, it stays in the list
    death = Message(WhyDead(*host));
    lock.lock();
    LogWarning("a judge died in the middle of a task", {{"runtime", host->runtime}, {"reason", death}});
    healthy = false;
  }
  if (!healthy || host->dead || host->uses >= options_.max_uses || !host->connection.Send(R"({"op":"hello"})").ok()) {
    const bool replace = host->worked;
    const std::string runtime = host->runtime;
    if (!healthy || host->dead) kFailures.Add({runtime});
    Drop(host);
    if (replace) Spawn(runtime).status().IgnoreError();  // the next loan tries again and reports
    return death;
  }
  host->lent = false;
  return death;
}

void HostPool::OnExit(const ProcessExit& exit) {
  std::lock_guard lock(mutex_);
  const auto host = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& h) { return h.id == exit.id; });
  if (host == hosts_.end()) return;
  host->dead = true;
  if (host->lent) return;  // its borrower finds out and returns it
  kFailures.Add({host->runtime});
  LogInfo("an idle judge host ended",
          {{"runtime", host->runtime}, {"how", Describe(exit)}, {"said", host->errors.LastLine()}});
  const bool replace = host->worked;
  const std::string runtime = host->runtime;
  if (!replace && exit.signal == 0 && exit.code != 125) {
    missing_[runtime] = {SteadyNow() + kMissingFor,
                         fmt::format("the {} judge {}: {}", runtime, Describe(exit), host->errors.LastLine())};
  }
  Drop(host);
  if (replace) Spawn(runtime).status().IgnoreError();
}

}  // namespace slipway
