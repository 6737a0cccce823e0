#include "common/base/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

namespace slipway {
namespace {

struct Action {
  enum class Kind { kNone, kKill, kStop, kDelay };
  Kind kind = Kind::kNone;
  int milliseconds = 0;
  int at = 1;
};

std::array<Action, std::size(kFailpoints)> actions;
std::array<std::atomic<int>, std::size(kFailpoints)> passages;

std::optional<int> PositiveNumber(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
  return value;
}

bool Arm(std::string_view entry) {
  const size_t equals = entry.find('=');
  if (equals == std::string_view::npos) return false;
  std::string_view what = entry.substr(equals + 1);
  Action action;
  if (const size_t at = what.find('@'); at != std::string_view::npos) {
    const auto number = PositiveNumber(what.substr(at + 1));
    if (!number) return false;
    action.at = *number;
    what = what.substr(0, at);
  }
  if (what == "kill") {
    action.kind = Action::Kind::kKill;
  } else if (what == "stop") {
    action.kind = Action::Kind::kStop;
  } else if (what.starts_with("delay:")) {
    const auto number = PositiveNumber(what.substr(6));
    if (!number) return false;
    action.kind = Action::Kind::kDelay;
    action.milliseconds = *number;
  } else {
    return false;
  }
  for (size_t i = 0; i < actions.size(); ++i) {
    if (kFailpoints[i] != entry.substr(0, equals)) continue;
    actions[i] = action;
    return true;
  }
  return false;
}

bool ArmAll() {
  const char* text = std::getenv("SLIPWAY_FAILPOINTS");
  if (text == nullptr || *text == '\0') return false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view entry = rest.substr(0, rest.find(','));
    if (!Arm(entry)) {
      std::fprintf(stderr, "SLIPWAY_FAILPOINTS: \"%.*s\" is not <failpoint>=kill|stop|delay:MS[@N]\n",
                   static_cast<int>(entry.size()), entry.data());
      _exit(2);
    }
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
  }
  return true;
}

void Log(size_t index, std::string_view action) {
  const char* path = std::getenv("SLIPWAY_FAILPOINT_LOG");
  if (path == nullptr) return;
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const std::string line =
      std::string(kFailpoints[index]) + ' ' + std::string(action) + ' ' + std::to_string(getpid()) + '\n';
  [[maybe_unused]] const ssize_t written = write(fd, line.data(), line.size());
  close(fd);
}

}  // namespace

namespace failpoint_internal {

const bool armed = ArmAll();

void Pass(size_t index) {
  const Action& action = actions[index];
  if (action.kind == Action::Kind::kNone || passages[index].fetch_add(1) + 1 != action.at) return;
  switch (action.kind) {
    case Action::Kind::kKill:
      Log(index, "kill");
      raise(SIGKILL);
      break;
    case Action::Kind::kStop:
      Log(index, "stop");
      raise(SIGSTOP);  // to this thread: it does not run on until the process stands
      break;
    default:
      Log(index, "delay");
      std::this_thread::sleep_for(std::chrono::milliseconds(action.milliseconds));
  }
}

}  // namespace failpoint_internal
}  // namespace slipway
