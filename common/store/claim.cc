#include "common/store/claim.h"

#include "common/base/error.h"
#include "common/store/down.h"

namespace slipway {

absl::Status CheckClaim(Store& store, std::string_view farm, std::string_view file_system, std::string_view place) {
  if (farm.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string bound, store.Farm());
  if (bound == farm || (bound.empty() && store.FileSystem() == file_system)) return absl::OkStatus();
  if (bound.empty())
    return MountMissing(
        fmt::format("the store {} is nobody's, but this farm has one, on another file system: is its mount missing? "
                    "Mount it, or, if this is to be the farm's store, start a coordinator with --adopt-store",
                    place));
  return WithKind(
      FailedPrecondition("the store {} is farm {}'s, not {}'s: name the farm's own by --store, or, if that farm is no "
                         "more (or its Redis was lost), start a coordinator with --adopt-store",
                         place, bound, farm),
      ErrorKind::kMachine);
}

}  // namespace slipway
