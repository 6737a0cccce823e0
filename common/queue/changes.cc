#include "common/queue/changes.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/queue/pool.h"
#include "common/queue/socket.h"

namespace slipway {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kStrayInterval = absl::Seconds(5);  // after which what went astray is noticed
constexpr size_t kChannelsPerCommand = 1000;

}  // namespace

RedisChanges::RedisChanges(Endpoint endpoint, std::string channels, OnChange on_change)
    : endpoint_(std::move(endpoint)),
      channels_(std::move(channels)),
      on_change_(std::move(on_change)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Run(); }) {}

RedisChanges::~RedisChanges() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Signal();
  thread_.join();
}

absl::Status RedisChanges::Follow(const std::string& request) {
  std::unique_lock lock(mutex_);
  const uint64_t failures = failures_;
  Followed& entry = followed_[request];
  if (++entry.followers == 1) {
    orders_.emplace_back(true, request);
    ++unanswered_[request];
    Signal();
  }
  // Its followers keep the entry, and this is one of them.
  answered_.wait(lock, [&] { return entry.heard || failures_ != failures; });
  if (entry.heard) return absl::OkStatus();
  const absl::Status failure = failure_;
  lock.unlock();
  Unfollow(request);
  return failure;
}

void RedisChanges::Unfollow(const std::string& request) {
  std::lock_guard lock(mutex_);
  const auto found = followed_.find(request);
  if (found == followed_.end() || --found->second.followers > 0) return;
  followed_.erase(found);
  orders_.emplace_back(false, request);
  Signal();
}

void RedisChanges::Run() {
  Random jitter(std::stoull(RandomHex(8), nullptr, 16));
  int failures = 0;
  while (AwaitWork()) {
    if (const std::unique_ptr<Connection> connection = Connect()) {
      failures = 0;
      Serve(*connection);
      TellAll();  // the next read says whether Redis itself is lost
    } else {
      Pause(ReconnectDelay(failures++, jitter));
    }
  }
}

bool RedisChanges::AwaitWork() {
  while (!Stopping()) {
    {
      std::lock_guard lock(mutex_);
      if (!followed_.empty()) return true;
    }
    Pause(absl::InfiniteDuration());
  }
  return false;
}

std::unique_ptr<Connection> RedisChanges::Connect() {
  absl::StatusOr<std::unique_ptr<Connection>> opened = Connection::Open(endpoint_, SteadyNow() + kConnectTimeout);
  std::lock_guard lock(mutex_);
  orders_.clear();
  unanswered_.clear();
  for (auto& [request, entry] : followed_) {
    entry.missed = entry.missed || entry.heard;
    entry.heard = false;
    orders_.emplace_back(true, request);
    ++unanswered_[request];
  }
  if (opened.ok()) return *std::move(opened);
  ++failures_;
  failure_ = opened.status();
  answered_.notify_all();
  return nullptr;
}

void RedisChanges::Serve(Connection& connection) {
  Listening listening(connection);
  absl::Time told = SteadyNow();
  while (!Stopping()) {
    std::set<std::string> changed;
    if (!Send(connection).ok() || !Drain(listening, changed).ok()) return;
    for (const std::string& request : changed) on_change_(request);
    if (SteadyNow() - told > kStrayInterval) {
      told = SteadyNow();
      TellAll();
    }
    listening.Await(wake_.get());
  }
}

absl::Status RedisChanges::Send(Connection& connection) {
  uint64_t signals;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &signals, sizeof(signals));
  std::vector<std::pair<bool, std::string>> orders;
  {
    std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (size_t begin = 0, end; begin < orders.size(); begin = end) {
    std::vector<std::string> command = {orders[begin].first ? "SUBSCRIBE" : "UNSUBSCRIBE"};
    for (end = begin;
         end < orders.size() && orders[end].first == orders[begin].first && end - begin < kChannelsPerCommand; ++end) {
      command.push_back(channels_ + orders[end].second);
    }
    RETURN_IF_ERROR(connection.Send(command, SteadyNow() + kConnectTimeout));
  }
  return absl::OkStatus();
}

absl::Status RedisChanges::Drain(Listening& listening, std::set<std::string>& changed) {
  while (true) {
    ASSIGN_OR_RETURN(const Reply reply, listening.Next());
    if (reply == nullptr) return absl::OkStatus();
    if (IsError(reply.get())) return ErrorReply(Text(reply.get()));
    const std::span<redisReply* const> elements = Elements(reply.get());
    if (elements.size() != 3 || !Text(elements[1]).starts_with(channels_)) continue;
    std::string request(Text(elements[1]).substr(channels_.size()));
    const std::string_view what = Text(elements[0]);
    if (what == "message" || (what == "subscribe" && Confirm(request))) changed.insert(std::move(request));
  }
}

// Heard once the last of several is answered: between the others it was unsubscribed.
bool RedisChanges::Confirm(const std::string& request) {
  std::lock_guard lock(mutex_);
  const auto found = unanswered_.find(request);
  if (found == unanswered_.end() || --found->second > 0) return false;
  unanswered_.erase(found);
  const auto followed = followed_.find(request);
  if (followed == followed_.end()) return false;
  followed->second.heard = true;
  answered_.notify_all();
  return std::exchange(followed->second.missed, false);
}

void RedisChanges::TellAll() {
  std::vector<std::string> requests;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [request, entry] : followed_) requests.push_back(request);
  }
  for (const std::string& request : requests) on_change_(request);
}

bool RedisChanges::Stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

void RedisChanges::Signal() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void RedisChanges::Pause(absl::Duration delay) {
  const absl::Time until = SteadyNow() + delay;
  while (!Stopping() && PollUntil(wake_.get(), POLLIN, until).ok()) {
    uint64_t signals;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &signals, sizeof(signals));
    if (delay == absl::InfiniteDuration()) return;
  }
}

}  // namespace slipway
