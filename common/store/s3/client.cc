#include "common/store/s3/client.h"

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/store/down.h"

namespace slipway::s3 {
namespace {

struct Refusal {
  int http_status;           // 0: any
  std::string_view s3_code;  // empty: any
  absl::StatusCode code;
  bool again;  // whether trying again may help
  std::string_view fix;
  bool of_object = false;  // or of a call: others may fare better
};

// The first that fits. HEAD's answers carry no code.
constexpr Refusal kRefusals[] = {
    {0, "NoSuchBucket", absl::StatusCode::kFailedPrecondition, false, "create the bucket or name another in --store"},
    {0, "RequestTimeTooSkewed", absl::StatusCode::kFailedPrecondition, false, "set this machine's clock"},
    {0, "InvalidAccessKeyId", absl::StatusCode::kPermissionDenied, false, "the server does not know the access key"},
    {0, "SignatureDoesNotMatch", absl::StatusCode::kPermissionDenied, false,
     "the secret key is not the access key's, or the region is wrong"},
    {0, "InvalidToken", absl::StatusCode::kPermissionDenied, false, "the session token is not the access key's"},
    {0, "ExpiredToken", absl::StatusCode::kPermissionDenied, false, "renew the session's credentials"},
    {0, "AuthorizationHeaderMalformed", absl::StatusCode::kFailedPrecondition, false,
     "name the bucket's region: region=…"},
    {0, "PermanentRedirect", absl::StatusCode::kFailedPrecondition, false, "name the bucket's region and endpoint"},
    {0, "QuotaExceeded", absl::StatusCode::kResourceExhausted, false, "raise the quota or collect garbage"},
    {0, "EntityTooLarge", absl::StatusCode::kResourceExhausted, false, "the server takes no object this large", true},
    {0, "SlowDown", absl::StatusCode::kResourceExhausted, true, "the server asks for fewer requests"},
    {0, "RequestTimeout", absl::StatusCode::kUnavailable, true, ""},
    {404, "", absl::StatusCode::kNotFound, false, "", true},
    {403, "", absl::StatusCode::kPermissionDenied, false,
     "the credentials are wrong, or lack s3:GetObject, PutObject, DeleteObject, ListBucket and AbortMultipartUpload on "
     "the bucket"},
    {401, "", absl::StatusCode::kPermissionDenied, false, "check the credentials"},
    {301, "", absl::StatusCode::kFailedPrecondition, false, "name the bucket's region and endpoint"},
    {307, "", absl::StatusCode::kFailedPrecondition, false, "name the bucket's region and endpoint"},
    {408, "", absl::StatusCode::kUnavailable, true, ""},
    {429, "", absl::StatusCode::kResourceExhausted, true, "the server asks for fewer requests"},
    {507, "", absl::StatusCode::kResourceExhausted, false, "the server has no space"},
    {501, "", absl::StatusCode::kUnimplemented, false, "the server lacks a call that the store needs", true},
};

pugi::xml_node Root(pugi::xml_document& document, std::string_view body) {
  document.load_buffer(body.data(), body.size());
  return document.document_element();
}

// What a non-2xx answer (or a 200 with an <Error> in it) means.
std::pair<absl::Status, bool> Refused(const HttpResponse& response, std::string_view what) {
  pugi::xml_document document;
  pugi::xml_node error = Root(document, response.body);
  std::string code = error.child_value("Code"), message = error.child_value("Message");
  while (message.ends_with('.')) message.pop_back();
  std::string text = fmt::format("{}: HTTP {}{}{}{}{}", what, response.status, code.empty() ? "" : " ", code,
                                 message.empty() ? "" : ": ", message);
  for (const Refusal& refusal : kRefusals) {
    if (refusal.http_status != 0 && refusal.http_status != response.status) continue;
    if (!refusal.s3_code.empty() && refusal.s3_code != code) continue;
    if (!refusal.fix.empty()) text += fmt::format("; {}", refusal.fix);
    const absl::Status status = WithKind(absl::Status(refusal.code, text), ErrorKind::kMachine);
    return {refusal.of_object ? status : WithStoreDown(status), refusal.again};
  }
  bool servers = response.status >= 500 || response.status < 300;
  if (servers) return {WithStoreDown(Unavailable("{}", text)), true};
  return {WithKind(FailedPrecondition("{}", text), ErrorKind::kMachine), false};
}

bool IsError(const HttpResponse& response) {
  // Complete and Copy may begin with 200 and fail while they run.
  return response.status / 100 != 2 || response.body.find("<Error>") != std::string::npos;
}

uint64_t Number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

absl::Time HttpTime(std::string_view text) {
  absl::Time time = absl::UnixEpoch();
  std::string error;
  absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", absl::string_view(text.data(), text.size()), &time, &error);
  return time;
}

absl::Time XmlTime(const char* text) {
  absl::Time time = absl::UnixEpoch();
  std::string error;
  absl::ParseTime(absl::RFC3339_full, text, &time, &error);
  return time;
}

uint64_t Seed() { return std::stoull(RandomHex(8), nullptr, 16); }

}  // namespace

Client::Client(const S3Options& options, CredentialSource credentials)
    : options_(options), credentials_(std::move(credentials)), http_(options.timeout), random_(Seed()) {
  std::string_view rest = options_.endpoint;
  rest.remove_prefix(rest.find("://") + 3);
  size_t slash = std::min(rest.find('/'), rest.size());
  host_ = rest.substr(0, slash);
  base_path_ = rest.substr(slash);
  while (base_path_.ends_with('/')) base_path_.pop_back();
}

absl::Duration Client::Backoff(int attempt) {
  std::lock_guard lock(mutex_);
  return random_.Uniform() * std::min(options_.first_backoff * (1 << std::min(attempt, 20)), options_.longest_backoff);
}

absl::StatusOr<HttpResponse> Client::SendOnce(const Call& call, const SignableRequest& signable,
                                              const std::string& url) {
  ASSIGN_OR_RETURN(const Credentials credentials, credentials_.Now());
  return http_.Send({.method = call.method,
                     .url = url,
                     .headers = SignedHeaders(signable, credentials, options_.region, absl::Now()),
                     .body = call.body,
                     .most_bytes = std::max<size_t>(call.most_bytes, 64 << 10)});
}

absl::StatusOr<HttpResponse> Client::Send(const Call& call) {
  SignableRequest signable{.method = call.method,
                           .host = host_,
                           .path = base_path_ + "/" + options_.bucket + (call.key.empty() ? "" : "/" + call.key),
                           .query = call.query,
                           .headers = call.headers,
                           .payload = call.body};
  std::string url = options_.endpoint.substr(0, options_.endpoint.find("://") + 3) + host_ +
                    UriEncode(signable.path, true) + (call.query.empty() ? "" : "?" + CanonicalQuery(call.query));
  std::string what = fmt::format("S3 {} {}/{}", call.method, options_.bucket, call.key);
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<HttpResponse> response = SendOnce(call, signable, url);
    if (response.ok() && response->status / 100 == 2 && call.check) {
      if (absl::Status checked = call.check(*response); !checked.ok()) response = std::move(checked);
    }
    if (response.ok() &&
        (call.method == "GET" && call.query.empty() ? response->status / 100 == 2 : !IsError(*response)))
      return response;
    auto [status, again] = response.ok() ? Refused(*response, what)
                                         : std::pair(WithStoreDown(Annotate(response.status(), what)),
                                                     response.status().code() == absl::StatusCode::kUnavailable);
    if (!again || attempt >= options_.attempts) return status;
    LogDebug("S3 request tried again", {{"attempt", std::to_string(attempt)}, {"reason", Message(status)}});
    absl::SleepFor(Backoff(attempt - 1));
  }
}

absl::Status Client::CheckBucket(const std::string& prefix) {
  // HEAD's answer would not say why not.
  return Send({.method = "GET", .key = "", .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", prefix}}})
      .status();
}

absl::StatusOr<Object> Client::Head(const std::string& key) {
  ASSIGN_OR_RETURN(HttpResponse response, Send({.method = "HEAD", .key = key}));
  return Object{key, Number(response.Header("content-length")), HttpTime(response.Header("last-modified")),
                std::string(response.Header("etag"))};
}

absl::StatusOr<std::string> Client::Get(const std::string& key, uint64_t offset, uint64_t count, Object& object) {
  const std::string range = fmt::format("bytes={}-{}", offset, offset + count - 1);
  const auto check = [&](const HttpResponse& response) -> absl::Status {
    std::string_view of = response.Header("content-range");  // "bytes 0-9/10"
    // Some servers answer 200 with the range.
    if (!of.starts_with(fmt::format("bytes {}-", offset)) || of.find('/') == of.npos)
      return Unavailable("the server ignored the range");
    object = {key, Number(of.substr(of.find('/') + 1)), HttpTime(response.Header("last-modified")),
              std::string(response.Header("etag"))};
    const uint64_t last = Number(of.substr(of.find('-') + 1));
    if (last < offset || last - offset + 1 != response.body.size())
      return Unavailable("the server sent {} bytes as bytes {}-{}", response.body.size(), offset, last);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(
      HttpResponse response,
      Send({.method = "GET", .key = key, .headers = {{"range", range}}, .most_bytes = count, .check = check}));
  return std::move(response.body);
}

absl::Status Client::Put(const std::string& key, std::string_view bytes) {
  return Send({.method = "PUT", .key = key, .body = bytes}).status();
}

absl::Status Client::KeepYoung(const Object& object) {
  constexpr uint64_t kMostCopied = uint64_t{5} << 30;
  if (object.bytes > kMostCopied || absl::Now() - object.modified <= options_.touch_after) return absl::OkStatus();
  return Send({.method = "PUT",
               .key = object.key,
               .headers = {{"x-amz-copy-source", "/" + options_.bucket + "/" + UriEncode(object.key, true)},
                           {"x-amz-metadata-directive", "REPLACE"}}})
      .status();
}

absl::Status Client::Delete(const std::string& key) {
  absl::Status status = Send({.method = "DELETE", .key = key}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<std::string> Client::BeginUpload(const std::string& key) {
  ASSIGN_OR_RETURN(HttpResponse response, Send({.method = "POST", .key = key, .query = {{"uploads", ""}}}));
  pugi::xml_document document;
  std::string id = Root(document, response.body).child_value("UploadId");
  if (id.empty()) return Unavailable("S3: the server began an upload without an id");
  return id;
}

absl::StatusOr<std::string> Client::PutPart(const std::string& key, const std::string& upload, int number,
                                            std::string_view bytes) {
  ASSIGN_OR_RETURN(HttpResponse response, Send({.method = "PUT",
                                                .key = key,
                                                .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
                                                .body = bytes}));
  return std::string(response.Header("etag"));
}

absl::Status Client::CompleteUpload(const std::string& key, const std::string& upload,
                                    const std::vector<std::string>& etags) {
  std::string body = "<CompleteMultipartUpload>";
  for (size_t i = 0; i < etags.size(); ++i)
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags[i]);
  body += "</CompleteMultipartUpload>";
  return Send({.method = "POST", .key = key, .query = {{"uploadId", upload}}, .body = body}).status();
}

absl::Status Client::AbortUpload(const std::string& key, const std::string& upload) {
  absl::Status status = Send({.method = "DELETE", .key = key, .query = {{"uploadId", upload}}}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status Client::List(const std::string& prefix, const std::function<absl::Status(const Object&)>& visit) {
  for (std::string token;;) {
    Call call{.method = "GET", .key = "", .query = {{"list-type", "2"}, {"prefix", prefix}}, .most_bytes = 8 << 20};
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    ASSIGN_OR_RETURN(HttpResponse response, Send(call));
    pugi::xml_document document;
    pugi::xml_node page = Root(document, response.body);
    if (std::string_view(page.name()) != "ListBucketResult") return Unavailable("S3: the server's listing is no XML");
    for (pugi::xml_node entry : page.children("Contents")) {
      RETURN_IF_ERROR(visit({entry.child_value("Key"), Number(entry.child_value("Size")),
                             XmlTime(entry.child_value("LastModified")), entry.child_value("ETag")}));
    }
    token = page.child_value("NextContinuationToken");
    if (std::string_view(page.child_value("IsTruncated")) != "true" || token.empty()) return absl::OkStatus();
  }
}

absl::StatusOr<std::vector<Upload>> Client::ListUploads(const std::string& prefix) {
  std::vector<Upload> uploads;
  for (std::string key_marker, id_marker;;) {
    Call call{.method = "GET", .key = "", .query = {{"uploads", ""}, {"prefix", prefix}}, .most_bytes = 8 << 20};
    if (!key_marker.empty()) {
      call.query.emplace_back("key-marker", key_marker);
      call.query.emplace_back("upload-id-marker", id_marker);
    }
    absl::StatusOr<HttpResponse> response = Send(call);
    if (response.status().code() == absl::StatusCode::kNotFound) return uploads;  // how some servers say "none"
    RETURN_IF_ERROR(response.status());
    pugi::xml_document document;
    pugi::xml_node page = Root(document, response->body);
    for (pugi::xml_node entry : page.children("Upload"))
      uploads.push_back(
          {entry.child_value("Key"), entry.child_value("UploadId"), XmlTime(entry.child_value("Initiated"))});
    key_marker = page.child_value("NextKeyMarker");
    id_marker = page.child_value("NextUploadIdMarker");
    if (std::string_view(page.child_value("IsTruncated")) != "true" || key_marker.empty()) return uploads;
  }
}

}  // namespace slipway::s3
