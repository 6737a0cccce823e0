#include "common/queue/sentinels.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/metrics/metrics.h"
#include "common/queue/connection.h"
#include "common/queue/pool.h"
#include "common/queue/socket.h"

namespace slipway {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(1);  // with one sentinel, before the next is asked
constexpr absl::Duration kInterval = absl::Seconds(1);  // of the thread's questions

const metrics::Counter kChanges("slipway_redis_master_changes_total",
                                "Times that the sentinels named another master than before.");

// Errors of connecting name their server already.
std::string Naming(const ServerAddress& server, const std::string& reason) {
  const bool named = reason.find(server.host + ":" + server.port) != std::string::npos;
  return named ? reason : server.ToString() + ": " + reason;
}

}  // namespace

Sentinels::Sentinels(std::string master, std::vector<Endpoint> sentinels)
    : master_(std::move(master)),
      given_(std::move(sentinels)),
      sentinels_(given_),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Watch(); }) {}

Sentinels::~Sentinels() {
  const uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof(one)) < 0) LogError("eventfd", {});
  thread_.join();
}

absl::StatusOr<Sentinels::Master> Sentinels::FindMaster(absl::Time deadline) {
  std::unique_lock lock(mutex_, absl::ToChronoNanoseconds(deadline - SteadyNow()));
  if (!lock.owns_lock()) return Unavailable("Redis: the sentinels have not answered in time");
  std::string reasons;
  absl::StatusCode code = absl::StatusCode::kOk;  // if it is the same of all
  for (size_t asked = 0; asked < sentinels_.size(); ++asked) {
    absl::StatusOr<ServerAddress> master = Ask(std::min(deadline, SteadyNow() + kPatience));
    if (master.ok()) {
      if (*master != known_) {
        if (!known_.host.empty()) {
          kChanges.Add();
          LogWarning("Redis has another master", {{"before", known_.ToString()}, {"now", master->ToString()}});
        }
        known_ = *master;
        ++changes_;
      }
      return Master{*std::move(master), changes_};
    }
    reasons += (asked == 0 ? "" : "; ") + Naming(sentinels_[current_].server, Message(master.status()));
    code = asked == 0 || code == master.status().code() ? master.status().code() : absl::StatusCode::kUnavailable;
    connection_.reset();
    current_ = (current_ + 1) % sentinels_.size();
  }
  // All of them refuse us, or we them: waiting does not help.
  const bool refused = code == absl::StatusCode::kFailedPrecondition || code == absl::StatusCode::kPermissionDenied;
  if (refused) return absl::Status(code, fmt::format("the sentinels of Redis: {}", reasons));
  return Unavailable("no sentinel of Redis tells where master {} is: {}", master_, reasons);
}

absl::StatusOr<ServerAddress> Sentinels::Ask(absl::Time deadline) {
  const Endpoint& sentinel = sentinels_[current_];
  if (connection_ == nullptr || connection_->broken()) {
    ASSIGN_OR_RETURN(connection_, Connection::Dial(sentinel, sentinel.server, deadline));
  }
  const std::vector<std::string> questions[] = {{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_},
                                                {"SENTINEL", "SENTINELS", master_}};
  ASSIGN_OR_RETURN(const std::vector<Reply> replies, connection_->CallAll(questions, deadline));
  if (IsError(replies[0].get())) return connection_->Refused(Text(replies[0].get()));
  const auto elements = Elements(replies[0].get());
  if (elements.size() != 2) return NotFound("it knows no master {}", master_);
  if (!IsError(replies[1].get())) Learn(replies[1].get());  // one who may not ask that has those given
  return ServerAddress{std::string(Text(elements[0])), std::string(Text(elements[1]))};
}

void Sentinels::Learn(const redisReply* others) {
  std::vector<Endpoint> all = given_;
  const auto add = [&](const ServerAddress& server) {
    const auto same = [&](const Endpoint& known) { return known.server == server; };
    if (std::any_of(all.begin(), all.end(), same)) return;
    all.push_back(given_.front());
    all.back().server = server;
  };
  const ServerAddress current = sentinels_[current_].server;
  add(current);  // it does not name itself
  for (const redisReply* other : Elements(others)) {
    const auto fields = Elements(other);  // name, value, name, value …
    ServerAddress server;
    for (size_t i = 0; i + 1 < fields.size(); i += 2) {
      if (Text(fields[i]) == "ip") server.host = Text(fields[i + 1]);
      if (Text(fields[i]) == "port") server.port = Text(fields[i + 1]);
    }
    if (!server.host.empty() && !server.port.empty()) add(server);
  }
  sentinels_ = std::move(all);
  current_ =
      std::find_if(sentinels_.begin(), sentinels_.end(), [&](const Endpoint& e) { return e.server == current; }) -
      sentinels_.begin();
}

void Sentinels::Doubt() {
  std::lock_guard lock(mutex_);
  connection_.reset();
  current_ = (current_ + 1) % sentinels_.size();
}

void Sentinels::Watch() {
  Random jitter(std::stoull(RandomHex(8), nullptr, 16));
  int failures = 0;
  for (absl::Duration wait = kInterval;;) {
    if (PollUntil(stop_.get(), POLLIN, SteadyNow() + wait).ok()) return;
    const bool told = FindMaster(SteadyNow() + absl::Seconds(5)).ok();
    failures = told ? 0 : failures + 1;
    // Apart from each other: all of a farm would otherwise ask at once after each failover.
    wait = told ? kInterval * (0.75 + 0.5 * jitter.Uniform()) : ReconnectDelay(failures, jitter);
  }
}

}  // namespace slipway
