// libcurl, loaded when the first request is sent: it brings thirty libraries along, and most processes reach no bucket.
#pragma once

#include <curl/curl.h>

#include "absl/status/statusor.h"

namespace slipway::s3 {

// Its functions, by their names without curl_.
struct Curl {
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

// Thread-safe; the same each time. FAILED_PRECONDITION: it is not installed.
absl::StatusOr<const Curl*> LoadCurl();

}  // namespace slipway::s3
