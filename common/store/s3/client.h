// The calls of the S3 API that a store needs, each signed and tried again while that may help.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/random.h"
#include "common/store/s3/http.h"
#include "common/store/s3/s3_store.h"

namespace slipway::s3 {

struct Object {
  std::string key;
  uint64_t bytes = 0;
  absl::Time modified;
  std::string etag;  // changes with the bytes; not comparable across servers
};

struct Upload {
  std::string key;
  std::string id;
  absl::Time begun;
};

// Thread-safe. Errors: NOT_FOUND: no such object (or upload); PERMISSION_DENIED, FAILED_PRECONDITION (bucket, region,
// clock): with what to do; UNAVAILABLE and RESOURCE_EXHAUSTED (429, SlowDown, full): every try failed.
class Client {
 public:
  Client(const S3Options& options, CredentialSource credentials);

  // OK iff the bucket is there and may be listed below `prefix`.
  absl::Status CheckBucket(const std::string& prefix);
  absl::StatusOr<Object> Head(const std::string& key);
  // Bytes [offset, offset + count) or up to the end; `object` is what they are of. Not for empty objects. An answer of
  // another length than it says is tried again like a cut one.
  absl::StatusOr<std::string> Get(const std::string& key, uint64_t offset, uint64_t count, Object& object);
  absl::Status Put(const std::string& key, std::string_view bytes);
  // Gives `object` a new time of modification when S3Options::touch_after says so. Those above 5 GiB stay as they are:
  // S3 copies no larger ones in one call.
  absl::Status KeepYoung(const Object& object);
  absl::Status Delete(const std::string& key);  // OK if absent

  // A multipart upload: parts from number 1, nothing visible before Complete.
  absl::StatusOr<std::string> BeginUpload(const std::string& key);
  absl::StatusOr<std::string> PutPart(const std::string& key, const std::string& upload, int number,
                                      std::string_view bytes);  // → etag
  absl::Status CompleteUpload(const std::string& key, const std::string& upload, const std::vector<std::string>& etags);
  absl::Status AbortUpload(const std::string& key, const std::string& upload);  // OK if absent

  // Every object, every unfinished upload whose key begins with `prefix`, page by page; ends at visit's first error.
  absl::Status List(const std::string& prefix, const std::function<absl::Status(const Object&)>& visit);
  absl::StatusOr<std::vector<Upload>> ListUploads(const std::string& prefix);

 private:
  struct Call {
    std::string method;
    std::string key;  // empty: the bucket itself
    Fields query = {};
    Fields headers = {};
    std::string_view body = {};
    size_t most_bytes = 1 << 20;
    std::function<absl::Status(const HttpResponse&)> check = {};  // of an answer; what fails it is tried again
  };
  absl::StatusOr<HttpResponse> Send(const Call& call);
  absl::StatusOr<HttpResponse> SendOnce(const Call& call, const SignableRequest& signable, const std::string& url);
  absl::Duration Backoff(int attempt);

  const S3Options options_;
  const CredentialSource credentials_;
  std::string host_, base_path_;
  HttpClient http_;
  std::mutex mutex_;
  Random random_;
};

}  // namespace slipway::s3
