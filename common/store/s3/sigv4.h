// AWS Signature Version 4, as S3 wants it (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/store/s3/credentials.h"

namespace slipway::s3 {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct SignableRequest {
  std::string method;
  std::string host;  // with the port unless the scheme's own
  std::string path;  // begins with '/', not yet encoded
  Fields query;      // not yet encoded
  Fields headers;    // names in lower case; without host, x-amz-date, x-amz-content-sha256, x-amz-security-token
  std::string_view payload;
};

// RFC 3986: all but A-Z a-z 0-9 - . _ ~ as %XX; '/' too unless `keep_slash`.
std::string UriEncode(std::string_view text, bool keep_slash);
// "a=1&b=": encoded and sorted, as signed and as sent.
std::string CanonicalQuery(const Fields& query);

// The headers to send: the request's own, those named above, and authorization.
Fields SignedHeaders(const SignableRequest& request, const Credentials& credentials, std::string_view region,
                     absl::Time now);

}  // namespace slipway::s3
