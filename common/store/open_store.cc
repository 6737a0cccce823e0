#include "common/store/open_store.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/base/error.h"
#include "common/store/cached_store.h"
#include "common/store/s3/s3_store.h"

namespace slipway {
namespace {

absl::Status Usage(std::string_view url, std::string_view what) {
  return WithKind(InvalidArgument("store {}: {}", url, what), ErrorKind::kUsage);
}

// What "%2F" stands for; nothing where the two hex digits are missing.
std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned char byte = 0;
    std::string_view digits = text.substr(i + 1, 2);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

absl::StatusOr<S3Options> ParseS3(std::string_view url) {
  std::string_view place = url.substr(std::string_view("s3://").size()), query;
  if (size_t mark = place.find('?'); mark != place.npos) {
    query = place.substr(mark + 1);
    place = place.substr(0, mark);
  }
  // Not repeated in the message: what stands there may be a secret.
  if (place.find('@') != place.npos)
    return Usage("s3://…", "credentials do not belong into the URL; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  S3Options options;
  size_t slash = std::min(place.find('/'), place.size());
  options.bucket = place.substr(0, slash);
  options.prefix = place.substr(std::min(slash + 1, place.size()));
  if (options.bucket.empty()) return Usage(url, "it names no bucket");
  const std::pair<std::string_view, std::string*> known[] = {{"endpoint", &options.endpoint},
                                                             {"region", &options.region}};
  while (!query.empty()) {
    std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(field.size() + 1, query.size()));
    std::string_view name = field.substr(0, field.find('='));
    std::string* value = nullptr;
    for (const auto& [known_name, place_of] : known) {
      if (name == known_name) value = place_of;
    }
    if (value == nullptr) return Usage(url, fmt::format("\"{}\" is none of endpoint, region", name));
    std::optional<std::string> decoded = PercentDecoded(field.substr(std::min(name.size() + 1, field.size())));
    if (!decoded || decoded->empty()) return Usage(url, fmt::format("{} has no value", name));
    *value = *std::move(decoded);
  }
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenStore(std::string_view url, const OpenStoreOptions& options) {
  if (url.starts_with("s3://")) {
    ASSIGN_OR_RETURN(S3Options s3, ParseS3(url));
    s3.scratch = options.scratch;
    s3.touch_after = std::min(s3.touch_after, options.garbage_after / 2);
    ASSIGN_OR_RETURN(s3::CredentialSource credentials, FindS3Credentials(options.credentials, s3.region));
    ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenS3Store(s3, std::move(credentials)));
    RETURN_IF_ERROR(store->Check());
    if (options.cache.empty()) return store;
    return OpenCachedStore({.root = options.cache, .max_bytes = options.cache_bytes}, std::move(store));
  }
  std::string_view path = url.starts_with("file://") ? url.substr(std::string_view("file://").size()) : url;
  if (path.empty() || path.find("://") != path.npos || (path.size() != url.size() && path.front() != '/'))
    return Usage(url, "it must be a folder, file:///FOLDER or s3://BUCKET/PREFIX");
  std::error_code error;
  std::filesystem::path root = std::filesystem::absolute(path, error);
  if (error) return Usage(url, error.message());
  return OpenLocalStore({.root = root, .ephemeral = options.ephemeral});
}

}  // namespace slipway
