#include "tests/worker/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "tests/worker/support.h"

namespace slipway {
namespace {

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    std::istringstream text(ReadFile(thread.path() / "children").value_or(""));
    for (pid_t child; text >> child;) children.push_back(child);
  }
  return children;
}

}  // namespace

WorkerProcess::WorkerProcess(std::vector<std::string> arguments, bool await_ready) {
  int ready[2], parent[2], output[2];
  if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(parent, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) abort();
  arguments.insert(arguments.begin(), SLIPWAY_BIN_DIR "/slipway-worker");
  if (await_ready) arguments.insert(arguments.end(), {"--ready-fd", "5", "--parent-fd", "6"});
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t test = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != test) _exit(1);
    // Above the numbers that they get, so that none is overwritten.
    const int high_ready = fcntl(ready[1], F_DUPFD_CLOEXEC, 20), high_parent = fcntl(parent[0], F_DUPFD_CLOEXEC, 20);
    dup2(output[1], STDOUT_FILENO);
    dup2(output[1], STDERR_FILENO);
    dup2(high_ready, 5);
    dup2(high_parent, 6);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(ready[1]);
  close(parent[0]);
  close(output[1]);
  parent_.Reset(parent[1]);
  output_.Reset(output[0]);
  UniqueFd ready_end(ready[0]);
  if (!await_ready) return;
  pollfd wait{ready_end.get(), POLLIN, 0};
  char line[256];
  if (poll(&wait, 1, 30000) != 1 || read(ready_end.get(), line, sizeof(line)) <= 0) {
    Signal(SIGKILL);
    Exit();
    ADD_FAILURE() << "the worker did not get ready: " << output_text_;
  }
}

WorkerProcess::~WorkerProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool WorkerProcess::Says(const std::string& text) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (output_text_.find(text) == std::string::npos) {
    pollfd wait{output_.get(), POLLIN, 0};
    char buffer[4096];
    if (poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(deadline - absl::Now()))) != 1) return false;
    const ssize_t count = read(output_.get(), buffer, sizeof(buffer));
    if (count <= 0) return false;
    output_text_.append(buffer, static_cast<size_t>(count));
  }
  return true;
}

std::optional<int> WorkerProcess::Exit() {
  int status = 0;
  if (!Holds([&] { return waitpid(pid_, &status, WNOHANG) != 0; }, absl::Seconds(30))) return std::nullopt;
  pid_ = -1;
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);  // a process below that survived would hold it open
  char buffer[4096];
  for (ssize_t count; (count = read(output_.get(), buffer, sizeof(buffer))) > 0;) output_text_.append(buffer, count);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<pid_t> WorkerProcess::Below() const {
  std::vector<pid_t> all = ChildrenOf(pid_);
  for (size_t i = 0; i < all.size(); ++i) {
    for (const pid_t child : ChildrenOf(all[i])) all.push_back(child);
  }
  return all;
}

pid_t WorkerProcess::ConverterChild() const {
  const std::vector<pid_t> zygote = ChildrenOf(pid_);
  if (zygote.size() != 1) return kNoProcess;
  for (const pid_t child : ChildrenOf(zygote[0])) {
    if (ReadFile(fmt::format("/proc/{}/cmdline", child)).value_or("").find("slipway-worker") != std::string::npos)
      return child;
  }
  return kNoProcess;
}

WorkerTest::WorkerTest() : folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "farm-")) {
  store_ = *OpenLocalStore({folder_.path() / "store", true});
  queue_ = *ConnectQueue({.address = redis_.address()});
}

std::vector<std::string> WorkerTest::Arguments(std::vector<std::string> more) const {
  std::vector<std::string> arguments = {"--redis",          redis_.address(),
                                        "--store",          (folder_.path() / "store").string(),
                                        "--scratch",        (folder_.path() / "scratch").string(),
                                        "--python",         TestPython().string(),
                                        "--slots",          "1",
                                        "--ephemeral-store"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string WorkerTest::Submit(const RequestSpec& spec, const std::vector<QueuedTask>& tasks) {
  QueuedRequest request;
  request.id = "0-" + RandomHex(8);
  request.spec = WriteBlob(*store_, "default", spec.ToJson())->ToString();
  request.tasks = tasks;
  EXPECT_EQ(*queue_->Submit(request), request.id);
  return request.id;
}

std::string WorkerTest::SubmitNoops(int count) {
  RequestSpec spec;
  spec.models = {{"nothing", "noop", "", {}}};
  std::vector<QueuedTask> tasks;
  for (int i = 0; i < count; ++i) {
    spec.tasks.push_back({SpecTask::Kind::kCell, 0, "onnx", "fp32", -1});
    tasks.push_back({.index = static_cast<uint32_t>(i)});
  }
  return Submit(spec, tasks);
}

bool WorkerTest::AllEnd(const std::string& request, absl::Duration patience) {
  return Holds([&] { return queue_->GetRequest(request)->open == 0; }, patience);
}

bool WorkerTest::Runs(const std::string& request) {
  return Holds([&] { return Tasks(request).at(0).state == TaskState::kRunning; });
}

LeasedTask WorkerTest::LeaseForTest(absl::Duration lease) {
  auto queue = *ConnectQueue({.address = redis_.address(), .lease = lease});
  std::optional<LeasedTask> task;
  EXPECT_TRUE(Holds([&] {
    EXPECT_TRUE(queue->Maintain().ok());
    task = *queue->Lease({"the-test", RandomHex(16), {"any"}});
    return task.has_value();
  }));
  return task.value_or(LeasedTask{});
}

bool WorkerTest::ScratchIsEmpty() const {
  std::error_code error;
  return std::filesystem::is_empty(folder_.path() / "scratch", error) && !error;
}

}  // namespace slipway
