// Plain HTTP requests over libcurl, connections kept for the next one.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/store/s3/sigv4.h"

namespace slipway::s3 {

struct HttpRequest {
  std::string method;
  std::string url;
  Fields headers;
  std::string_view body;
  size_t most_bytes = 1 << 20;  // a longer answer is UNAVAILABLE
};

struct HttpResponse {
  int status = 0;
  Fields headers;  // names in lower case
  std::string body;
  std::string_view Header(std::string_view name) const;  // empty if absent
};

// Thread-safe. Follows no redirects. An answer cut short, a timeout or no connection is UNAVAILABLE; a certificate that
// does not prove the server is FAILED_PRECONDITION.
class HttpClient {
 public:
  explicit HttpClient(absl::Duration timeout) : timeout_(timeout) {}
  ~HttpClient();
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request);

 private:
  void* Take();  // a connection kept; nullptr if there is none
  void Return(void* handle);

  const absl::Duration timeout_;  // of a whole request
  std::mutex mutex_;
  std::vector<void*> idle_;
};

}  // namespace slipway::s3
