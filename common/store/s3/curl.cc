#include "common/store/s3/curl.h"

#include <dlfcn.h>

#include "common/base/error.h"

namespace slipway::s3 {
namespace {

constexpr char kLibrary[] = "libcurl.so.4";

absl::StatusOr<Curl> Load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr) return FailedPrecondition("{}: install libcurl4 to reach a bucket", dlerror());
  Curl curl{};
  decltype(&curl_global_init) global_init = nullptr;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    return function != nullptr;
  };
  const bool whole = find(global_init, "curl_global_init") && find(curl.easy_init, "curl_easy_init") &&
                     find(curl.easy_cleanup, "curl_easy_cleanup") && find(curl.easy_reset, "curl_easy_reset") &&
                     find(curl.easy_setopt, "curl_easy_setopt") && find(curl.easy_perform, "curl_easy_perform") &&
                     find(curl.easy_getinfo, "curl_easy_getinfo") && find(curl.easy_strerror, "curl_easy_strerror") &&
                     find(curl.slist_append, "curl_slist_append") && find(curl.slist_free_all, "curl_slist_free_all");
  if (!whole) return FailedPrecondition("{} lacks a function: {}", kLibrary, dlerror());
  if (const CURLcode code = global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK)
    return FailedPrecondition("{}: {}", kLibrary, curl.easy_strerror(code));
  return curl;
}

}  // namespace

absl::StatusOr<const Curl*> LoadCurl() {
  static const absl::StatusOr<Curl>& loaded = *new absl::StatusOr<Curl>(Load());
  RETURN_IF_ERROR(loaded.status());
  return &*loaded;
}

}  // namespace slipway::s3
