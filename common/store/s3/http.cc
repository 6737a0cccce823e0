#include "common/store/s3/http.h"

#include <algorithm>
#include <cctype>

#include "common/base/error.h"
#include "common/store/s3/curl.h"

namespace slipway::s3 {
namespace {

struct Arriving {
  HttpResponse response;
  size_t most_bytes;
  bool too_long = false;
};

size_t OnHeader(char* data, size_t, size_t count, void* user) {
  auto& arriving = *static_cast<Arriving*>(user);
  std::string_view line(data, count);
  if (line.starts_with("HTTP/")) arriving.response.headers.clear();  // an interim answer's are not the answer's
  size_t colon = line.find(':');
  if (colon == line.npos) return count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
  arriving.response.headers.emplace_back(std::move(name), value);
  return count;
}

size_t OnBody(char* data, size_t, size_t count, void* user) {
  auto& arriving = *static_cast<Arriving*>(user);
  if (count > arriving.most_bytes - arriving.response.body.size()) {
    arriving.too_long = true;
    return 0;
  }
  arriving.response.body.append(data, count);
  return count;
}

// "https://host:port", which curl does not always name.
std::string ServerOf(const std::string& url) { return url.substr(0, url.find('/', url.find("://") + 3)); }

absl::Status CurlStatus(const Curl& curl, CURLcode code, const char* detail, const std::string& url) {
  std::string text = fmt::format("{}: {}", ServerOf(url), *detail ? detail : curl.easy_strerror(code));
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return FailedPrecondition("{}: install the certificate authority of the endpoint", text);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return WithKind(InvalidArgument("{}", text), ErrorKind::kUsage);
    default:
      return Unavailable("{}", text);
  }
}

}  // namespace

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

HttpClient::~HttpClient() {
  for (void* handle : idle_) (*LoadCurl())->easy_cleanup(handle);
}

void* HttpClient::Take() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  void* handle = idle_.back();
  idle_.pop_back();
  return handle;
}

void HttpClient::Return(void* handle) {
  std::lock_guard lock(mutex_);
  idle_.push_back(handle);
}

absl::StatusOr<HttpResponse> HttpClient::Send(const HttpRequest& request) {
  ASSIGN_OR_RETURN(const Curl* const library, LoadCurl());
  const Curl& curl = *library;
  void* handle = Take();
  if (handle == nullptr) handle = curl.easy_init();
  if (handle == nullptr) return ResourceExhausted("no memory for a connection");
  Arriving arriving{.response = {}, .most_bytes = request.most_bytes};
  curl_slist* headers = nullptr;
  for (const auto& [name, value] : request.headers) headers = curl.slist_append(headers, (name + ": " + value).c_str());
  // Ours are all that is sent: neither a round trip more for large bodies nor a made-up type.
  for (const char* none : {"Expect:", "Content-Type:", "Accept:"}) headers = curl.slist_append(headers, none);
  char detail[CURL_ERROR_SIZE] = "";
  curl.easy_reset(handle);
  curl.easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl.easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl.easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout_)));
  curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(std::min(timeout_, absl::Seconds(10)))));
  curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
  curl.easy_setopt(handle, CURLOPT_HEADERFUNCTION, OnHeader);
  curl.easy_setopt(handle, CURLOPT_HEADERDATA, &arriving);
  curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, OnBody);
  curl.easy_setopt(handle, CURLOPT_WRITEDATA, &arriving);
  if (request.method == "HEAD") {
    curl.easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    curl.easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl.easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  }
  if (request.method != "HEAD") curl.easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  CURLcode code = curl.easy_perform(handle);
  long status = 0;
  curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl.slist_free_all(headers);
  Return(handle);
  if (arriving.too_long) return Unavailable("{}: the answer is too long", request.url);
  if (code != CURLE_OK) return CurlStatus(curl, code, detail, request.url);
  arriving.response.status = static_cast<int>(status);
  return std::move(arriving.response);
}

}  // namespace slipway::s3
