#include "common/store/s3/credentials.h"

#include <cstdlib>
#include <mutex>
#include <sstream>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/file_stamp.h"
#include "common/base/log.h"
#include "common/store/s3/s3_store.h"

namespace slipway {
namespace {

std::string Variable(const char* name, const char* otherwise = "") {
  const char* value = std::getenv(name);
  return value == nullptr || *value == 0 ? otherwise : value;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  size_t first = text.find_first_not_of(kSpace);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

absl::StatusOr<s3::Credentials> ReadProfile(const std::filesystem::path& file, const std::string& profile) {
  absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return WithKind(text.status(), ErrorKind::kUsage);
  s3::Credentials credentials;
  bool ours = true;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::string_view trimmed = Trim(line);
    if (trimmed.starts_with('[')) ours = trimmed == "[" + profile + "]";
    size_t equals = trimmed.find('=');
    if (!ours || equals == trimmed.npos) continue;
    std::string_view name = Trim(trimmed.substr(0, equals)), value = Trim(trimmed.substr(equals + 1));
    if (name == "aws_access_key_id") credentials.access_key = value;
    if (name == "aws_secret_access_key") credentials.secret_key = value;
    if (name == "aws_session_token") credentials.session_token = value;
  }
  if (!credentials.access_key.empty() && !credentials.secret_key.empty()) return credentials;
  return WithKind(
      FailedPrecondition("{}: no aws_access_key_id and aws_secret_access_key under [{}]", file.string(), profile),
      ErrorKind::kUsage);
}

// Read again when it has changed. While it cannot be, what was read before holds.
class ProfileFile {
 public:
  explicit ProfileFile(std::filesystem::path file)
      : file_(std::move(file)), profile_(Variable("AWS_PROFILE", "default")) {}

  absl::StatusOr<s3::Credentials> Now() {
    std::lock_guard lock(mutex_);
    const absl::StatusOr<FileStamp> stamp = StampOf(file_);
    if (stamp.ok() && *stamp == stamp_ && !read_.access_key.empty()) return read_;
    absl::StatusOr<s3::Credentials> credentials = ReadProfile(file_, profile_);
    if (credentials.ok()) {
      read_ = *credentials;
    } else if (!read_.access_key.empty()) {
      if (stamp.value_or(FileStamp()) != stamp_)
        LogWarning("S3 credentials not read again", {{"reason", Message(credentials.status())}});
      credentials = read_;
    }
    stamp_ = stamp.value_or(FileStamp());
    return credentials;
  }

 private:
  const std::filesystem::path file_;
  const std::string profile_;
  std::mutex mutex_;
  FileStamp stamp_;
  s3::Credentials read_;
};

absl::StatusOr<s3::CredentialSource> FromFile(const std::filesystem::path& path) {
  auto file = std::make_shared<ProfileFile>(path);
  RETURN_IF_ERROR(file->Now().status());
  return s3::CredentialSource([file] { return file->Now(); });
}

}  // namespace

s3::CredentialSource::CredentialSource(Credentials fixed) : get_([fixed = std::move(fixed)] { return fixed; }) {}

absl::StatusOr<s3::CredentialSource> FindS3Credentials(const std::filesystem::path& file, std::string_view region) {
  if (!file.empty()) return FromFile(file);
  s3::Credentials credentials{Variable("AWS_ACCESS_KEY_ID"), Variable("AWS_SECRET_ACCESS_KEY"),
                              Variable("AWS_SESSION_TOKEN")};
  if (!credentials.access_key.empty() && !credentials.secret_key.empty()) return credentials;
  if (const std::string token = Variable("AWS_WEB_IDENTITY_TOKEN_FILE"), role = Variable("AWS_ROLE_ARN");
      !token.empty() && !role.empty()) {
    std::string sts = Variable("AWS_ENDPOINT_URL_STS");
    if (sts.empty()) sts = fmt::format("https://sts.{}.amazonaws.com/", region);
    return s3::Renewed(s3::WebIdentity(sts, role, Variable("AWS_ROLE_SESSION_NAME", "slipway"), token));
  }
  std::string shared = Variable("AWS_SHARED_CREDENTIALS_FILE");
  if (shared.empty() && !Variable("HOME").empty()) shared = Variable("HOME") + "/.aws/credentials";
  std::error_code ignored;
  if (!shared.empty() && std::filesystem::exists(shared, ignored)) return FromFile(shared);
  std::string container = Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (const std::string relative = Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !relative.empty())
    container = "http://169.254.170.2" + relative;
  if (!container.empty()) {
    ASSIGN_OR_RETURN(s3::CredentialSource::Get role,
                     s3::ContainerRole(container, Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
                                       Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")));
    return s3::Renewed(std::move(role));
  }
  return WithKind(FailedPrecondition("no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                                     "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, AWS_SHARED_CREDENTIALS_FILE, or "
                                     "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
                  ErrorKind::kUsage);
}

}  // namespace slipway
