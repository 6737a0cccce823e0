#include "common/store/s3/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>

#include "common/base/error.h"

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

absl::Status CurlStatus(CURLcode code, const char* detail, const std::string& url) {
  std::string text = fmt::format("{}: {}", url.substr(0, url.find('?')), *detail ? detail : curl_easy_strerror(code));
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

void InitCurl() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
}

}  // namespace

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

HttpClient::~HttpClient() {
  for (void* handle : idle_) curl_easy_cleanup(handle);
}

void* HttpClient::Take() {
  InitCurl();
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return curl_easy_init();
  void* handle = idle_.back();
  idle_.pop_back();
  return handle;
}

void HttpClient::Return(void* handle) {
  std::lock_guard lock(mutex_);
  idle_.push_back(handle);
}

absl::StatusOr<HttpResponse> HttpClient::Send(const HttpRequest& request) {
  CURL* curl = Take();
  if (curl == nullptr) return ResourceExhausted("no memory for a connection");
  Arriving arriving{.response = {}, .most_bytes = request.most_bytes};
  curl_slist* headers = nullptr;
  for (const auto& [name, value] : request.headers) headers = curl_slist_append(headers, (name + ": " + value).c_str());
  // Ours are all that is sent: neither a round trip more for large bodies nor a made-up type.
  for (const char* none : {"Expect:", "Content-Type:", "Accept:"}) headers = curl_slist_append(headers, none);
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout_)));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(std::min(timeout_, absl::Seconds(10)))));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &arriving);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &arriving);
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  }
  if (request.method != "HEAD") curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  Return(curl);
  if (arriving.too_long) return Unavailable("{}: the answer is too long", request.url);
  if (code != CURLE_OK) return CurlStatus(code, detail, request.url);
  arriving.response.status = static_cast<int>(status);
  return std::move(arriving.response);
}

}  // namespace slipway::s3
