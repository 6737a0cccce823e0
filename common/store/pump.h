// Whole blobs from one place to another, in bounded memory.
#pragma once

#include <filesystem>

#include "common/store/store.h"

namespace slipway {

// Up to the reader's verified end, or the writer's failure, which becomes `written`; returns the reader's. `writer` is not committed.
absl::Status Pump(BlobReader& reader, BlobWriter& writer, absl::Status& written);
// All of an open file, by pread.
absl::Status PumpFile(int fd, BlobWriter& writer);
// Into a new file without a name in `folder`, then open for reading.
absl::StatusOr<UniqueFd> PumpToUnlinkedFile(BlobReader& reader, const std::filesystem::path& folder);

}  // namespace slipway
