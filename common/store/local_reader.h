// The reading half of a local store.
#pragma once

#include <functional>
#include <memory>

#include "common/store/store.h"

namespace slipway {

// Reads `fd` from `offset`. From offset 0 the bytes are hashed on the way; `damaged` is called before DATA_LOSS is
// returned.
std::unique_ptr<BlobReader> MakeLocalReader(UniqueFd fd, const Digest& digest, uint64_t offset,
                                            std::function<void()> damaged);

}  // namespace slipway
