// Blobs as objects of a bucket, on any server that speaks S3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/store/s3/credentials.h"
#include "common/store/store.h"

namespace slipway {

struct S3Options {
  std::string endpoint;  // "https://host[:port]", addressed as endpoint/bucket/key; empty: AWS' own of the region
  std::string bucket;
  std::string region = "us-east-1";
  std::string prefix;             // "" or "some/folder/": before every key
  std::filesystem::path scratch;  // of OpenLocal's unlinked copies; empty: the system's folder of temporary files

  int attempts = 5;  // of each request, on 429, 5xx, timeouts and cut connections
  absl::Duration first_backoff = absl::Milliseconds(50),
                 longest_backoff = absl::Seconds(5);  // doubled, with full jitter
  absl::Duration timeout = absl::Seconds(60);         // of one request, which moves at most one part
  uint64_t part_bytes = 16 << 20;                     // larger blobs go in parts; one part at a time is in memory
  uint64_t read_bytes = 4 << 20;                      // of one ranged GET
  int parallel = 16;                                  // requests of one FindMissing
  absl::Duration touch_after = absl::Hours(12);  // a use of an object older than this copies it onto itself; so long
                                                 // it is then sure to stay. At most half of the garbage's age
};

// From `file` (AWS' format: aws_access_key_id = …; profile AWS_PROFILE or [default]), read again when it changes, unless empty;
// else the first of these that the environment names:
//   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN (AWS_ROLE_SESSION_NAME; AWS_ENDPOINT_URL_STS or AWS' STS of `region`)
//   AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, as `file`
//   AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or …_TOKEN)
// FAILED_PRECONDITION, kind usage, without any. Never from an argument or a URL. What is lent is asked for with the first
// request.
absl::StatusOr<s3::CredentialSource> FindS3Credentials(const std::filesystem::path& file = {},
                                                       std::string_view region = "us-east-1");

// Keys: <prefix>t/<tenant>/<2 hex>/<hex>-<bytes>, pins/<random>, farm. Nothing is sent before the first use.
// Written blobs are hashed on the way; the PUT, or the completion of the multipart upload, happens only when the hash
// is the name's, so an interrupted or wrong upload never becomes visible. A blob already there is not sent again.
// Streams from offset 0 are verified at their end; from elsewhere only their length is.
absl::StatusOr<std::unique_ptr<Store>> OpenS3Store(const S3Options& options, s3::CredentialSource credentials);

}  // namespace slipway
