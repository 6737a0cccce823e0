// Blobs of a bucket as streams: ranged GETs one way, a PUT or a multipart upload the other.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/store/s3/client.h"
#include "common/store/store.h"

namespace slipway::s3 {

// `client` must outlive both. The reader's first bytes are fetched at once: NOT_FOUND if absent. `damaged` gets the
// object as it was read, before DATA_LOSS is returned.
absl::StatusOr<std::unique_ptr<BlobReader>> OpenReader(Client& client, const S3Options& options, std::string key,
                                                       const Digest& digest, uint64_t offset,
                                                       std::function<void(const Object&)> damaged);
std::unique_ptr<BlobWriter> CreateWriter(Client& client, const S3Options& options, std::string key,
                                         const Digest& digest);

}  // namespace slipway::s3
