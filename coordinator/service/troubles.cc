#include "coordinator/service/troubles.h"

#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"

namespace slipway {
namespace {

bool IsTheFarms(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
      return KindOf(status) == ErrorKind::kMachine;
    default:
      return false;
  }
}

}  // namespace

void Troubles::Tell(std::string_view method, std::string_view tenant, const absl::Status& status) {
  if (!IsTheFarms(status)) return;
  uint64_t unsaid = 0;
  {
    std::lock_guard lock(mutex_);
    const absl::Time now = SteadyNow();
    if (now < silent_until_) {
      ++unsaid_;
      return;
    }
    silent_until_ = now + absl::Seconds(1);
    std::swap(unsaid, unsaid_);
  }
  LogWarning("a call failed", {{"method", std::string(method)},
                               {"tenant", std::string(tenant)},
                               {"code", absl::StatusCodeToString(status.code())},
                               {"reason", Message(status)},
                               {"unsaid", std::to_string(unsaid)}});
}

}  // namespace slipway
