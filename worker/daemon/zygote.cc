#include "worker/daemon/zygote.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace slipway {

using nlohmann::json;

namespace {
constexpr size_t kRememberedExits = 1024;  // of processes whose end nobody waits for
}

std::string Describe(const ProcessExit& exit) {
  if (!exit.error.empty()) return exit.error;
  if (exit.signal == 0) return fmt::format("exited with code {}", exit.code);
  const char* name = sigabbrev_np(exit.signal);
  return name != nullptr ? fmt::format("was killed by SIG{}", name)
                         : fmt::format("was killed by signal {}", exit.signal);
}

Zygote::Zygote(ZygoteProcess process, std::function<void(const ProcessExit&)> on_exit, std::function<void()> on_gone)
    : pid_(process.pid),
      channel_(std::move(process.channel)),
      on_exit_(std::move(on_exit)),
      on_gone_(std::move(on_gone)),
      listener_([this] { Listen(); }) {}

Zygote::~Zygote() { Shutdown(); }

absl::StatusOr<uint64_t> Zygote::Spawn(const SpawnRequest& request) {
  uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    if (gone_ || stopping_) return Unavailable("the zygote is gone: no process can be started");
    id = next_id_++;
    running_[id] = 0;
  }
  json body = {{"op", "spawn"},
               {"id", id},
               {"argv", request.argv},
               {"environment", request.environment},
               {"scratch", request.scratch.string()},
               {"max_memory", request.max_memory},
               {"require_jail", request.require_jail},
               {"readable", json::array()},
               {"openable", json::array()}};
  for (const auto& path : request.readable) body["readable"].push_back(path.string());
  for (const auto& path : request.openable) body["openable"].push_back(path.string());
  std::lock_guard lock(send_mutex_);
  if (absl::Status sent = channel_.Send(body.dump(), {request.connection, request.errors}); !sent.ok()) {
    std::lock_guard state(mutex_);
    running_.erase(id);
    return Annotate(sent, "start a process");
  }
  return id;
}

void Zygote::Kill(uint64_t id) {
  {
    std::lock_guard lock(mutex_);
    if (!running_.contains(id)) return;
  }
  std::lock_guard lock(send_mutex_);
  channel_.Send(json{{"op", "kill"}, {"id", id}}.dump()).IgnoreError();
}

std::optional<ProcessExit> Zygote::WaitExit(uint64_t id, absl::Time deadline) {
  std::unique_lock lock(mutex_);
  const auto known = [&] { return exits_.contains(id) || !running_.contains(id); };
  if (!changed_.wait_for(lock, absl::ToChronoNanoseconds(deadline - SteadyNow()), known)) return std::nullopt;
  auto exit = exits_.extract(id);
  if (exit.empty()) return ProcessExit{.id = id, .error = "the zygote is gone"};
  return exit.mapped();
}

std::optional<pid_t> Zygote::PidOf(uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto process = running_.find(id);
  if (process == running_.end() || process->second == 0) return std::nullopt;
  return process->second;
}

void Zygote::Shutdown() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  // Half-closed: the zygote sees the end, the listener stays until the zygote has ended everything.
  shutdown(channel_.fd(), SHUT_WR);
  if (listener_.joinable()) listener_.join();
  waitpid(pid_, nullptr, 0);
}

void Zygote::Listen() {
  for (;;) {
    absl::StatusOr<Frame> frame = channel_.Receive();
    if (!frame.ok()) break;
    const json event = json::parse(frame->body, nullptr, /*allow_exceptions=*/false);
    if (!event.is_object()) break;
    const uint64_t id = event.value("id", uint64_t{0});
    if (event.value("op", "") == "started") {
      std::lock_guard lock(mutex_);
      running_[id] = event.value("pid", 0);
      changed_.notify_all();
      continue;
    }
    const ProcessExit exit{id, event.value("pid", 0), event.value("signal", 0), event.value("code", 0),
                           event.value("error", "")};
    {
      std::lock_guard lock(mutex_);
      running_.erase(id);
      exits_[id] = exit;
      if (exits_.size() > kRememberedExits) exits_.erase(exits_.begin());
      changed_.notify_all();
    }
    if (on_exit_) on_exit_(exit);
  }
  bool unexpected = false;
  {
    std::lock_guard lock(mutex_);
    gone_ = true;
    unexpected = !stopping_;
    running_.clear();
    changed_.notify_all();
  }
  if (unexpected && on_gone_) on_gone_();
}

}  // namespace slipway
