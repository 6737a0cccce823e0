#include "common/store/garbage.h"

#include "common/base/error.h"

namespace slipway {

std::string PinLines(std::string_view tenant, std::span<const Digest> digests) {
  std::string lines;
  for (const Digest& digest : digests) lines += fmt::format("{} {}\n", tenant, digest.ToString());
  return lines;
}

void PinnedBlobs::AddLines(std::string_view lines) {
  while (!lines.empty()) {
    size_t end = std::min(lines.find('\n'), lines.size());
    lines_.insert(std::string(lines.substr(0, end)));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

bool PinnedBlobs::Contains(std::string_view tenant, const Digest& digest) const {
  return lines_.contains(fmt::format("{} {}", tenant, digest.ToString()));
}

absl::Status CheckFarm(std::string_view bound, std::string_view farm) {
  RETURN_IF_ERROR(CheckFarmName(farm));
  if (bound == farm) return absl::OkStatus();
  if (bound.empty()) return FailedPrecondition("no garbage collected: the store is bound to no farm");
  return FailedPrecondition("no garbage collected: the store is farm \"{}\"'s, not \"{}\"'s", bound, farm);
}

absl::Status CheckFarmName(std::string_view farm) {
  if (!farm.empty() && farm.find('\n') == farm.npos) return absl::OkStatus();
  return InvalidArgument("a farm's name is one line of text");
}

absl::StatusOr<bool> IsGarbage(const GarbageOptions& options, const PinnedBlobs& pins, std::string_view tenant,
                               const Digest& digest, absl::Time touched, GarbageReport& report) {
  if (options.stop && options.stop()) return Cancelled("the collection was stopped");
  ++report.blobs;
  if (touched > options.now - options.untouched) {
    ++report.young;
    return false;
  }
  if (pins.Contains(tenant, digest)) {
    ++report.pinned;
    return false;
  }
  ASSIGN_OR_RETURN(bool referenced, options.referenced(tenant, digest));
  if (referenced) ++report.referenced;
  return !referenced;
}

}  // namespace slipway
