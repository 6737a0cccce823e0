#include "coordinator/service/requests.h"

#include <algorithm>
#include <cctype>

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr size_t kMaxIdBytes = 100;

// Ids go into Redis keys, so their form is checked before they are looked up.
bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

}  // namespace

absl::StatusOr<RequestView> FindRequest(Queue& queue, Call& call, const std::string& request) {
  call.Concerns(request);
  if (!IsRequestId(request)) {
    return WithKind(InvalidArgument("request_id: {} is no request's id; Submit and List give them",
                                    request.size() <= kMaxIdBytes ? "\"" + request + "\"" : "it"),
                    ErrorKind::kUsage);
  }
  absl::StatusOr<RequestView> view = queue.GetRequest(request);
  if (absl::IsNotFound(view.status()) || (view.ok() && view->tenant != call.tenant())) {
    return WithKind(
        NotFound("there is no request \"{}\" on this farm; it was never submitted, or has been forgotten since",
                 request),
        ErrorKind::kUsage);
  }
  return view;
}

}  // namespace slipway
