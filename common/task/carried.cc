#include "common/task/carried.h"

#include "common/base/error.h"
#include "common/queue/queue.h"

namespace slipway {

absl::StatusOr<std::string> ReadCarried(Store& store, const std::string& tenant, const std::string& carried) {
  if (IsCarriedSpec(carried)) return carried;
  ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(carried));
  return ReadBlob(store, tenant, digest);
}

}  // namespace slipway
