#include <cstdlib>
#include <sstream>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/store/s3/s3_store.h"

namespace slipway {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  size_t first = text.find_first_not_of(kSpace);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

absl::StatusOr<s3::Credentials> FromFile(const std::filesystem::path& file) {
  absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return WithKind(text.status(), ErrorKind::kUsage);
  s3::Credentials credentials;
  bool ours = true;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::string_view trimmed = Trim(line);
    if (trimmed.starts_with('[')) ours = trimmed == "[default]";
    size_t equals = trimmed.find('=');
    if (!ours || equals == trimmed.npos) continue;
    std::string_view name = Trim(trimmed.substr(0, equals)), value = Trim(trimmed.substr(equals + 1));
    if (name == "aws_access_key_id") credentials.access_key = value;
    if (name == "aws_secret_access_key") credentials.secret_key = value;
    if (name == "aws_session_token") credentials.session_token = value;
  }
  if (!credentials.access_key.empty() && !credentials.secret_key.empty()) return credentials;
  return WithKind(
      FailedPrecondition("{}: no aws_access_key_id and aws_secret_access_key under [default]", file.string()),
      ErrorKind::kUsage);
}

}  // namespace

absl::StatusOr<s3::Credentials> FindS3Credentials(const std::filesystem::path& file) {
  if (!file.empty()) return FromFile(file);
  s3::Credentials credentials{Variable("AWS_ACCESS_KEY_ID"), Variable("AWS_SECRET_ACCESS_KEY"),
                              Variable("AWS_SESSION_TOKEN")};
  if (!credentials.access_key.empty() && !credentials.secret_key.empty()) return credentials;
  std::string shared = Variable("AWS_SHARED_CREDENTIALS_FILE");
  if (shared.empty() && !Variable("HOME").empty()) shared = Variable("HOME") + "/.aws/credentials";
  std::error_code ignored;
  if (!shared.empty() && std::filesystem::exists(shared, ignored)) return FromFile(shared);
  return WithKind(FailedPrecondition("no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                                     "AWS_SHARED_CREDENTIALS_FILE"),
                  ErrorKind::kUsage);
}

}  // namespace slipway
