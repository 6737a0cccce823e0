// The store that a URL names: what --store takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/store/store.h"

namespace slipway {

struct OpenStoreOptions {
  bool ephemeral = false;             // of a folder: LocalStoreOptions::ephemeral
  std::filesystem::path credentials;  // of S3: a file as FindS3Credentials reads it; empty: the environment
  std::filesystem::path cache;        // of S3: folder for copies of what OpenLocal opens; empty: fetched anew
  uint64_t cache_bytes = uint64_t{20} << 30;
  std::filesystem::path scratch;                   // of S3, without a cache: S3Options::scratch
  absl::Duration garbage_after = absl::Hours(24);  // of S3: blobs in use stay younger than the farm's garbage
};

// PATH or file:///PATH                                              a folder, see OpenLocalStore
// s3://BUCKET[/PREFIX][?endpoint=https://HOST[:PORT]&region=REGION]  a bucket, see OpenS3Store; without endpoint: AWS'
// INVALID_ARGUMENT or FAILED_PRECONDITION, kind usage, for anything else, and where credentials are missing: they are
// never part of the URL. A bucket is asked for once: the server's refusal, or UNAVAILABLE, comes from here and not from
// the first blob.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(std::string_view url, const OpenStoreOptions& options);

}  // namespace slipway
