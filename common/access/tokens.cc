#include "common/access/tokens.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <sstream>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/random.h"

namespace slipway {
namespace {

constexpr char kPrefix[] = "slw_";
constexpr int kTokenBytes = 32;
constexpr char kNever[] = "never";
constexpr int64_t kLookEveryNs = 1'000'000'000;
constexpr char kHeader[] = "# SHA-256 of a token, tenant, role, name, when it expires\n";
constexpr mode_t kNewMode = 0600;

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

absl::Status Unauthenticated(const std::string& why) { return Usage(absl::UnauthenticatedError(why)); }

std::string LineOf(const TokenEntry& entry) {
  return fmt::format("{}  {}  {}  {}  {}\n", Digest{.sha256 = entry.sha256}.Hex(), entry.identity.tenant,
                     Name(entry.identity.role), entry.identity.name,
                     entry.expires == absl::InfiniteFuture()
                         ? std::string(kNever)
                         : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", entry.expires, absl::UTCTimeZone()));
}

// nullopt: the line says nothing.
absl::StatusOr<std::optional<TokenEntry>> ParseLine(const std::string& line) {
  std::istringstream words(line);
  std::string hash, tenant, role, name, expires, more;
  words >> hash;
  if (hash.empty() || hash.starts_with('#')) return std::nullopt;
  if (!(words >> tenant >> role >> name >> expires) || (words >> more)) {
    return InvalidArgument("a token's line has five words: its SHA-256, tenant, role, name, when it expires");
  }
  TokenEntry entry;
  const absl::StatusOr<Digest> digest = Digest::Parse(hash + "/0");
  if (!digest.ok()) return InvalidArgument("the first word is no SHA-256 in lower-case hex");
  entry.sha256 = digest->sha256;
  if (!IsTenantName(tenant)) return InvalidArgument("\"{}\" is no tenant's name: [a-z0-9_-], at most 64", tenant);
  if (!IsCallerName(name)) return InvalidArgument("\"{}\" is no token's name: [A-Za-z0-9._@-], at most 64", name);
  const std::optional<Role> parsed = ParseRole(role);
  if (!parsed) return InvalidArgument("\"{}\" is no role: read, submit or admin", role);
  entry.identity = {.tenant = tenant, .role = *parsed, .name = name};
  std::string error;
  if (expires != kNever && !absl::ParseTime(absl::RFC3339_full, expires, &entry.expires, &error)) {
    return InvalidArgument("\"{}\" is no time: 2027-02-19T12:00:00Z, or never", expires);
  }
  return entry;
}

// Reads, changes and replaces the file while nobody else does. `change` gets the whole text.
absl::Status Change(const std::filesystem::path& file, const std::function<absl::Status(std::string& text)>& change) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const UniqueFd lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid()) return Usage(ErrnoStatus(errno, folder.string()));
  while (flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, folder.string());
  }
  struct stat before {};
  const bool stood = stat(file.c_str(), &before) == 0;
  std::string text = kHeader;
  if (stood) {
    ASSIGN_OR_RETURN(text, ReadFile(file));
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
  }
  RETURN_IF_ERROR(change(text));
  std::string temporary = file.string() + ".XXXXXX";
  UniqueFd out(mkostemp(temporary.data(), O_CLOEXEC));
  if (!out.valid()) return ErrnoStatus(errno, file.string());
  const auto failed = [&] {
    const absl::Status status = ErrnoStatus(errno, file.string());
    unlink(temporary.c_str());
    return status;
  };
  if (write(out.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed();
  // Its owner first: giving a file away takes rights from its mode. Whoever may not give it away keeps it.
  if (stood && (before.st_uid != geteuid() || before.st_gid != getegid()) &&
      fchown(out.get(), before.st_uid, before.st_gid) != 0 && errno != EPERM) {
    return failed();
  }
  if (fchmod(out.get(), stood ? before.st_mode & 0777 : kNewMode) != 0) return failed();
  if (fsync(out.get()) != 0 || rename(temporary.c_str(), file.c_str()) != 0) return failed();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TokenEntry>> ParseTokens(std::string_view text) {
  std::vector<TokenEntry> entries;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto at_line = [&](const absl::Status& status) {
      return Usage(Annotate(status, fmt::format("line {}", number)));
    };
    const absl::StatusOr<std::optional<TokenEntry>> entry = ParseLine(line);
    if (!entry.ok()) return at_line(entry.status());
    if (!entry->has_value()) continue;
    for (const TokenEntry& other : entries) {
      if (other.identity.name == (*entry)->identity.name)
        return at_line(InvalidArgument("a second token named {}", other.identity.name));
      if (other.sha256 == (*entry)->sha256)
        return at_line(InvalidArgument("the token of {} again", other.identity.name));
    }
    entries.push_back(**entry);
  }
  return entries;
}

absl::StatusOr<std::vector<TokenEntry>> ReadTokens(const std::filesystem::path& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return Usage(text.status());
  absl::StatusOr<std::vector<TokenEntry>> entries = ParseTokens(*text);
  if (!entries.ok()) return Annotate(entries.status(), file.string());
  return entries;
}

absl::StatusOr<std::string> AddToken(const std::filesystem::path& file, const Identity& identity, absl::Time expires) {
  const std::string token = kPrefix + RandomHex(kTokenBytes);
  const TokenEntry entry{.sha256 = Digest::Of(token).sha256, .identity = identity, .expires = expires};
  RETURN_IF_ERROR(Change(file, [&](std::string& text) -> absl::Status {
    const absl::StatusOr<std::vector<TokenEntry>> entries = ParseTokens(text);
    if (!entries.ok()) return Annotate(entries.status(), file.string());
    for (const TokenEntry& other : *entries) {
      if (other.identity.name == identity.name) {
        return Usage(absl::AlreadyExistsError(fmt::format(
            "{} has a token named {}; revoke it first, or take another name", file.string(), identity.name)));
      }
    }
    // What it says is read back before it counts, so that no name can make a file that no coordinator takes.
    text += LineOf(entry);
    return ParseTokens(text).status();
  }));
  return token;
}

absl::Status RevokeToken(const std::filesystem::path& file, std::string_view name) {
  return Change(file, [&](std::string& text) -> absl::Status {
    std::istringstream lines(text);
    std::string line, kept;
    bool found = false;
    while (std::getline(lines, line)) {
      const absl::StatusOr<std::optional<TokenEntry>> entry = ParseLine(line);
      // Other lines stay as they are, malformed ones too: a revocation must not depend on them.
      const bool is_it = entry.ok() && entry->has_value() && (*entry)->identity.name == name;
      found = found || is_it;
      if (!is_it) kept += line + "\n";
    }
    if (!found) return Usage(NotFound("{} has no token named {}", file.string(), name));
    text = std::move(kept);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<TokenFile>> TokenFile::Open(const std::filesystem::path& file, const Clock& clock) {
  std::unique_ptr<TokenFile> tokens(new TokenFile(file, clock));
  const absl::StatusOr<FileStamp> stamp = LookAtTokens(file);
  if (!stamp.ok()) return Usage(stamp.status());
  RETURN_IF_ERROR(tokens->Read(*stamp));
  return tokens;
}

absl::StatusOr<FileStamp> LookAtTokens(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(file));
  if ((stamp.mode & S_IWOTH) != 0)
    return InvalidArgument("{}: anybody may write to it, and so make tokens; chmod o-w", file.string());
  return stamp;
}

absl::Status TokenFile::Read(const FileStamp& stamp) {
  ASSIGN_OR_RETURN(std::vector<TokenEntry> entries, ReadTokens(file_));
  auto shared = std::make_shared<const std::vector<TokenEntry>>(std::move(entries));
  stamp_ = stamp;
  std::lock_guard lock(mutex_);
  entries_ = std::move(shared);
  return absl::OkStatus();
}

void TokenFile::Refresh() {
  std::lock_guard lock(refreshing_);
  const absl::StatusOr<FileStamp> stamp = LookAtTokens(file_);
  if (stamp.ok() && *stamp == stamp_) {
    last_complaint_.clear();
    return;
  }
  const absl::Status status = stamp.ok() ? Read(*stamp) : stamp.status();
  const std::string complaint = status.ok() ? "" : Message(status);
  if (status.ok()) LogInfo("tokens read", {{"file", file_.string()}});
  if (!status.ok() && complaint != last_complaint_)
    LogError("tokens not read; the earlier ones stay", {{"file", file_.string()}, {"reason", complaint}});
  last_complaint_ = complaint;
}

std::optional<TokenEntry> TokenFile::Known(const Digest& token) {
  std::shared_ptr<const std::vector<TokenEntry>> entries;
  {
    std::lock_guard lock(mutex_);
    entries = entries_;
  }
  const TokenEntry* found = nullptr;
  for (const TokenEntry& entry : *entries) {
    if (CRYPTO_memcmp(entry.sha256.data(), token.sha256.data(), entry.sha256.size()) == 0) found = &entry;
  }
  return found == nullptr ? std::nullopt : std::optional(*found);
}

absl::StatusOr<Identity> TokenFile::Find(std::string_view token) {
  const int64_t now_ns = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  int64_t due = next_look_ns_.load();
  if (now_ns >= due && next_look_ns_.compare_exchange_strong(due, now_ns + kLookEveryNs)) Refresh();
  const Digest digest = Digest::Of(token);
  std::optional<TokenEntry> found = Known(digest);
  if (!found) {
    Refresh();  // it may just have been made
    found = Known(digest);
  }
  if (!found) {
    return Unauthenticated(
        "this farm does not know the token, or knows it no more; ask its keeper for one (slipway token new)");
  }
  if (found->expires <= clock_.Now()) {
    return Unauthenticated(
        fmt::format("the token {} expired at {}; ask the farm's keeper for another (slipway token new)",
                    found->identity.name, absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", found->expires, absl::UTCTimeZone())));
  }
  return found->identity;
}

}  // namespace slipway
