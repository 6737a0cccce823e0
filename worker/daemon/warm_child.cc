#include "worker/daemon/warm_child.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <map>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace slipway {
namespace {

// A frame that has begun must go on: a child that stops in the middle of one must not hold its slot beyond the deadline.
constexpr timeval kStalled{10, 0};

// The hosts that one task has borrowed.
class Loans {
 public:
  Loans(HostPool& pool, const std::string& tenant) : pool_(pool), tenant_(tenant) {}
  ~Loans() { GiveBack(/*healthy=*/false); }
  // Asking twice means that the first one is broken.
  absl::StatusOr<int> Borrow(const std::string& runtime) {
    if (const auto earlier = loans_.extract(runtime); !earlier.empty()) Return(earlier.mapped(), /*healthy=*/false);
    ASSIGN_OR_RETURN(HostPool::Loan loan, pool_.Lend(runtime, tenant_));
    loans_[runtime] = loan.id;
    return loan.connection;
  }
  void GiveBack(bool healthy) {
    for (const auto& [runtime, id] : std::exchange(loans_, {})) Return(id, healthy);
  }
  bool any() const { return !loans_.empty(); }
  // Of those given back, how they died: "" if none did.
  std::string Deaths() const {
    return deaths_ < 2 ? last_death_ : fmt::format("{} judges died in turn; the last: {}", deaths_, last_death_);
  }

 private:
  void Return(uint64_t id, bool healthy) {
    std::string death = pool_.Return(id, healthy);
    if (death.empty()) return;
    ++deaths_;
    last_death_ = std::move(death);
  }

  HostPool& pool_;
  const std::string& tenant_;
  std::map<std::string, uint64_t> loans_;
  int deaths_ = 0;
  std::string last_death_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WarmChild>> WarmChild::Spawn(Zygote& zygote, const WorkerScratch& scratch,
                                                            HostPool& hosts, bool require_jail, uint64_t max_memory) {
  ASSIGN_OR_RETURN(auto ends, Channel::CreatePair());
  setsockopt(ends.first.fd(), SOL_SOCKET, SO_RCVTIMEO, &kStalled, sizeof(kStalled));
  setsockopt(ends.first.fd(), SOL_SOCKET, SO_SNDTIMEO, &kStalled, sizeof(kStalled));
  ASSIGN_OR_RETURN(Errors errors, Errors::Create());
  ASSIGN_OR_RETURN(std::filesystem::path folder, scratch.NewFolder("child"));
  SpawnRequest request;
  request.environment = {"LC_ALL=C.UTF-8", "HOME=" + folder.string(), "TMPDIR=" + folder.string()};
  request.scratch = folder;
  request.require_jail = require_jail;
  request.max_memory = max_memory;
  request.connection = ends.second.fd();
  request.errors = errors.fd();
  ASSIGN_OR_RETURN(const uint64_t id, zygote.Spawn(request));
  return std::unique_ptr<WarmChild>(
      new WarmChild(zygote, hosts, id, std::move(ends.first), std::move(errors), std::move(folder)));
}

WarmChild::~WarmChild() {
  channel_.Close();
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool WarmChild::Usable() const {
  if (broken_) return false;
  pollfd state{channel_.fd(), POLLIN, 0};
  return poll(&state, 1, 0) >= 0 && (state.revents & (POLLHUP | POLLERR)) == 0;
}

absl::StatusOr<ChildMessage> WarmChild::Receive(absl::Time deadline) {
  ASSIGN_OR_RETURN(Frame frame, channel_.Receive(deadline));
  if (!frame.fds.empty()) return DataLoss("a child sent descriptors");
  return ParseChildMessage(frame.body);
}

absl::StatusOr<JailLevel> WarmChild::AwaitHello(absl::Time deadline) {
  absl::StatusOr<ChildMessage> message = Receive(deadline);
  if (message.ok() && std::holds_alternative<ChildHello>(*message)) {
    greeted_ = true;
    return std::get<ChildHello>(*message).jail;
  }
  broken_ = true;
  Kill();
  const auto exit = zygote_.WaitExit(id_, SteadyNow() + absl::Seconds(5));
  return FailedPrecondition("a child process could not start: {}: {}", exit ? Describe(*exit) : "it does not answer",
                            errors_.LastLine());
}

Execution WarmChild::Run(const TaskMessage& task, const std::vector<int>& blobs, const std::string& tenant,
                         const std::function<void(const std::string&)>& progress, absl::Time deadline) {
  ++tasks_;
  errors_.Clear();
  Loans loans(hosts_, tenant);
  Execution execution;
  const auto lost = [&](Execution::End end) {
    broken_ = true;
    Kill();
    if (auto exit = zygote_.WaitExit(id_, SteadyNow() + absl::Seconds(10))) execution.exit = *std::move(exit);
    execution.end = end;
    execution.last_words = errors_.LastLine();
    return execution;
  };
  if (!SendTask(channel_, task, blobs).ok()) return lost(Execution::End::kDied);
  for (;;) {
    absl::StatusOr<ChildMessage> message = Receive(deadline);
    if (absl::IsDeadlineExceeded(message.status())) return lost(Execution::End::kTimedOut);
    if (absl::IsUnavailable(message.status())) return lost(Execution::End::kDied);
    if (!message.ok()) return lost(Execution::End::kMisbehaved);
    if (std::holds_alternative<ChildHello>(*message)) {
      if (greeted_) return lost(Execution::End::kMisbehaved);
      greeted_ = true;
    } else if (const auto* step = std::get_if<ChildProgress>(&*message)) {
      progress(step->step);
    } else if (const auto* wanted = std::get_if<ChildWantsHost>(&*message)) {
      if (!SendHost(channel_, loans.Borrow(wanted->runtime)).ok()) return lost(Execution::End::kDied);
    } else {
      execution.end = Execution::End::kResult;
      execution.judged = loans.any();
      execution.output = std::get<ChildResult>(std::move(*message)).output;
      loans.GiveBack(/*healthy=*/true);
      execution.judge_deaths = loans.Deaths();
      return execution;
    }
  }
}

}  // namespace slipway
