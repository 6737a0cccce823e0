#include "worker/daemon/retry.h"

#include <algorithm>

namespace slipway {
namespace {

constexpr absl::Duration kLongestDelay = absl::Minutes(1);
constexpr absl::Duration kForOthers = absl::Seconds(30);   // busy ones included; then the same worker tries once more
constexpr absl::Duration kForAnother = absl::Seconds(10);  // the same, where waiting may mend this one as well
constexpr absl::Duration kForUpgrade = absl::Seconds(10);  // until the same worker looks again, as often as it takes

struct Rule {
  Failure failure;
  int most_kills;  // retried while it has killed at most so many processes before; -1: never
  bool counted, backoff, killed, more_memory;
  absl::Duration elsewhere = absl::ZeroDuration();
  absl::Duration delay = absl::ZeroDuration();
};
constexpr int kAny = 1 << 30;
constexpr Rule kRules[] = {
    //                      kills counted backoff killed more_memory elsewhere
    {Failure::kModel, /*     */ -1, true, false, false, false},
    {Failure::kCrash, /*     */ 0, true, false, true, false, kForOthers},
    {Failure::kOutOfMemory, kAny, true, true, true, true},
    {Failure::kMemoryLimit, kAny, true, false, false, true},
    {Failure::kMachine, /*  */ kAny, true, true, false, false, kForAnother},
    {Failure::kUnclear, /*  */ kAny, true, true, false, false, kForAnother},
    {Failure::kDrained, /*  */ kAny, false, false, false, false},
    {Failure::kVersion, /*  */ kAny, false, false, false, false, kForOthers, kForUpgrade},
    {Failure::kStoreDown, /**/ kAny, false, true, false, false, kForAnother},
};

absl::Duration Backoff(absl::Duration base, int attempt, Random& jitter) {
  const absl::Duration delay = base * (1 << std::clamp(attempt - 1, 0, 20));
  return std::min(delay, kLongestDelay) * (0.5 + jitter.Uniform());
}

}  // namespace

std::optional<TaskReturn> RetryOf(Failure failure, const LeasedTask& task, const std::string& reason,
                                  absl::Duration base, Random& jitter) {
  const Rule& rule = *std::find_if(std::begin(kRules), std::end(kRules),
                                   [failure](const Rule& row) { return row.failure == failure; });
  if (task.kills > rule.most_kills) return std::nullopt;
  TaskReturn how;
  how.count_attempt = rule.counted;
  how.killed = rule.killed;
  how.more_memory = rule.more_memory;
  how.reason = reason;
  // What failed on two machines is something that they share: then only time helps.
  if (!rule.backoff || task.attempt == 1) how.elsewhere = rule.elsewhere;
  how.delay = rule.delay * (0.5 + jitter.Uniform());
  if (rule.backoff) how.delay = Backoff(base, task.attempt, jitter);
  return how;
}

}  // namespace slipway
