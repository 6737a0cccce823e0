#include "tests/worker/support.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/time/clock.h"
#include "worker/daemon/task_protocol.h"

namespace slipway {
namespace {

// A sanitizer's handler would make an exit of it.
void Crash() {
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}

std::string Descriptors() {
  std::string open;
  for (int fd = 0; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) open += (open.empty() ? "" : " ") + std::to_string(fd);
  }
  return open;
}

std::string Environment() {
  std::string names;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    names += (names.empty() ? "" : " ") + std::string(text.substr(0, text.find('=')));
  }
  return names;
}

}  // namespace

int ScriptedChild(Channel daemon, JailLevel level, const std::filesystem::path& scratch) {
  if (!SendToDaemon(daemon, ChildHello{level}).ok()) return 0;
  for (;;) {
    auto task = ReceiveTask(daemon);
    if (!task.ok()) return 0;
    const std::string& script = task->first.model.name;
    TaskOutput output{.state = "passed"};
    if (script == "crash") Crash();
    if (script == "exit") return 3;
    if (script == "hang") pause();
    if (script == "nonsense" && !daemon.Send("[1, 2").ok()) return 1;
    if (script == "stall") {
      if (write(daemon.fd(), "\x10\x00", 2) != 2) return 1;
      pause();
    }
    if (script == "descriptors") output.reason = Descriptors();
    if (script == "environment") output.reason = Environment();
    if (script == "file") std::ofstream(scratch / "left") << "behind";
    if (script == "host" && (!SendToDaemon(daemon, ChildWantsHost{"ncnn"}).ok() || !ReceiveHost(daemon).ok())) return 4;
    if (script == "host-crash" && SendToDaemon(daemon, ChildWantsHost{"ncnn"}).ok() && ReceiveHost(daemon).ok())
      Crash();
    if (!SendToDaemon(daemon, ChildResult{output}).ok()) return 0;
  }
}

TestFarmhand::TestFarmhand(ChildMain child, const std::filesystem::path& python)
    : parent_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "worker-")) {
  // Tests run in threads' company at times; a zygote forked before others' is what counts here.
  auto process = ForkZygote(child);
  if (!process.ok()) {
    ADD_FAILURE() << process.status();
    abort();
  }
  scratch_ = std::make_unique<WorkerScratch>(*WorkerScratch::Create(parent_.path()));
  zygote_ = std::make_unique<Zygote>(
      *std::move(process),
      [this](const ProcessExit& exit) {
        if (hosts_ != nullptr) hosts_->OnExit(exit);
      },
      [this] { gone_ = true; });
  HostPoolOptions options;
  options.python = python;
  hosts_ = std::make_unique<HostPool>(*zygote_, *scratch_, options);
}

TestFarmhand::~TestFarmhand() { zygote_->Shutdown(); }

std::unique_ptr<WarmChild> TestFarmhand::Child() {
  auto child = WarmChild::Spawn(*zygote_, *scratch_, *hosts_, /*require_jail=*/true);
  EXPECT_TRUE(child.ok()) << child.status();
  return *std::move(child);
}

pid_t TestFarmhand::PidOf(uint64_t id) {
  EXPECT_TRUE(Holds([&] { return zygote_->PidOf(id).has_value(); }));
  return zygote_->PidOf(id).value_or(kNoProcess);
}

TaskMessage Task(const std::string& model_name) {
  TaskMessage message;
  message.model.name = model_name;
  message.model.kind = "onnx";
  message.task.kind = SpecTask::Kind::kCell;
  message.task.target = "onnx";
  message.task.precision = "fp32";
  return message;
}

bool Holds(const std::function<bool()>& condition, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

bool EndsWithin(pid_t pid, absl::Duration patience) {
  return Holds(
      [pid] {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string text;
        if (!std::getline(file, text)) return true;
        // Its first thread may have ended before others, which still hold its files.
        std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
        std::string state, field;
        fields >> state;
        for (int skipped = 0; skipped < 16; ++skipped) fields >> field;
        int threads = 0;
        return fields >> threads && threads <= 1 && (state == "Z" || state == "X");
      },
      patience);
}

std::filesystem::path TestPython() {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  EXPECT_NE(python, nullptr) << "SLIPWAY_PYTHON names the interpreter that has the runtimes";
  return python != nullptr ? python : "";
}

}  // namespace slipway
