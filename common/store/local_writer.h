// The writing half of a local store.
#pragma once

#include <memory>
#include <string>

#include "common/store/layout.h"
#include "common/store/store.h"
#include "common/store/verified.h"

namespace slipway {

// `layout` and `verified` must outlive the writer. Its file is under a flock, and of its final size at once if `reserve`.
absl::StatusOr<std::unique_ptr<BlobWriter>> CreateLocalWriter(const StoreLayout& layout, VerifiedFiles& verified,
                                                              std::string tenant, const Digest& digest, bool reserve);

}  // namespace slipway
