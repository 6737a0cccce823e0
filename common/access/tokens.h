// Bearer tokens of a farm, and the file that knows them: only as hashes, a line a token:
//
//   # SHA-256 of the token                                            tenant    role    name   expires
//   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  research  submit  ci-7   2027-02-19T12:00:00Z
//   60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752  research  admin   alice  never
//
// Lines that begin with # and empty lines say nothing. A token is "slw_" and 64 hex digits: 256 random bits, so that a
// plain hash keeps it.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/access/identity.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/file_stamp.h"

namespace slipway {

struct TokenEntry {
  std::array<uint8_t, 32> sha256{};
  Identity identity;
  absl::Time expires = absl::InfiniteFuture();
};

// INVALID_ARGUMENT (usage) naming the line: malformed, or a hash or a name twice.
absl::StatusOr<std::vector<TokenEntry>> ParseTokens(std::string_view text);

// --- for whoever keeps the file. Each change appears whole, one at a time; a file that stands keeps its owner and mode, a
// new one has 0600.
// Makes a token, adds its line and returns the token, which nothing keeps. ALREADY_EXISTS (usage): the name is taken.
absl::StatusOr<std::string> AddToken(const std::filesystem::path& file, const Identity& identity, absl::Time expires);
// NOT_FOUND (usage): there is no token of that name.
absl::Status RevokeToken(const std::filesystem::path& file, std::string_view name);
// NOT_FOUND (usage): no such file.
absl::StatusOr<std::vector<TokenEntry>> ReadTokens(const std::filesystem::path& file);
// The file as it stands. INVALID_ARGUMENT: anybody may write to it, so that coordinators refuse it; the errno's status.
absl::StatusOr<FileStamp> LookAtTokens(const std::filesystem::path& file);

// The tokens as a server asks for them. Thread-safe. A file that changes is read again within a second, and at once
// for a token that is not known yet; one that cannot be read, or is malformed, leaves the tokens as they were and is logged once.
class TokenFile {
 public:
  // INVALID_ARGUMENT or NOT_FOUND (usage): the file is none that ParseTokens takes, or anybody may write to it.
  static absl::StatusOr<std::unique_ptr<TokenFile>> Open(const std::filesystem::path& file,
                                                         const Clock& clock = Clock::Real());
  // Whose token it is. UNAUTHENTICATED (usage): nobody's, or expired. The time it takes tells nothing of the hashes.
  absl::StatusOr<Identity> Find(std::string_view token);
  // Reads the file now if it has changed.
  void Refresh();

 private:
  TokenFile(std::filesystem::path file, const Clock& clock) : file_(std::move(file)), clock_(clock) {}
  absl::Status Read(const FileStamp& stamp);
  std::optional<TokenEntry> Known(const Digest& token);

  const std::filesystem::path file_;
  const Clock& clock_;
  std::atomic<int64_t> next_look_ns_{0};  // of the steady clock
  std::mutex refreshing_;
  FileStamp stamp_;             // under refreshing_
  std::string last_complaint_;  // the same
  std::mutex mutex_;
  std::shared_ptr<const std::vector<TokenEntry>> entries_;
};

}  // namespace slipway
