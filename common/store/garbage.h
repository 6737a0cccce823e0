// What local and S3 stores' garbage collections have in common: pins and the order of the questions.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "common/store/store.h"

namespace slipway {

// A pin file is lines of "<tenant> <digest>".
std::string PinLines(std::string_view tenant, std::span<const Digest> digests);

class PinnedBlobs {
 public:
  void AddLines(std::string_view lines);
  bool Contains(std::string_view tenant, const Digest& digest) const;

 private:
  absl::flat_hash_set<std::string> lines_;
};

// OK iff `bound`, the content of the store's farm file (empty: none), is `farm`.
absl::Status CheckFarm(std::string_view bound, std::string_view farm);
// INVALID_ARGUMENT unless one line of text.
absl::Status CheckFarmName(std::string_view farm);

// Whether the blob may go, counting in `report` why not. `touched` is its last use.
absl::StatusOr<bool> IsGarbage(const GarbageOptions& options, const PinnedBlobs& pins, std::string_view tenant,
                               const Digest& digest, absl::Time touched, GarbageReport& report);

}  // namespace slipway
