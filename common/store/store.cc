#include "common/store/store.h"

#include "common/base/error.h"

namespace slipway {

// For decorators and test doubles that keep only blobs.
absl::StatusOr<Digest> Store::FindAction(std::string_view, const Digest&) { return NotFound("no action is kept"); }
absl::Status Store::PutAction(std::string_view, const Digest&, const Digest&) { return absl::OkStatus(); }
absl::Status Store::Bind(std::string_view) { return Unimplemented("this store belongs to no farm"); }
absl::StatusOr<std::string> Store::Farm() { return Unimplemented("this store belongs to no farm"); }
absl::StatusOr<std::unique_ptr<BlobPins>> Store::Pin() { return Unimplemented("this store has no pins"); }
absl::StatusOr<GarbageReport> Store::CollectGarbage(const GarbageOptions&) {
  return Unimplemented("this store collects no garbage");
}

}  // namespace slipway
