// Landlock by its system calls (man 7 landlock): Debian 12's headers know ABI 2, kernels have more.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>

#include "common/base/error.h"
#include "common/base/file.h"
#include "worker/jail/layers.h"

namespace slipway {
namespace {

constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr unsigned kVersionFlag = 1, kRulePathBeneath = 1;

enum FileRight : uint64_t {
  kExecute = 1 << 0,
  kWriteFile = 1 << 1,
  kReadFile = 1 << 2,
  kReadDir = 1 << 3,
  kRemoveDir = 1 << 4,
  kRemoveFile = 1 << 5,
  kMakeDir = 1 << 7,
  kMakeReg = 1 << 8,
  kRefer = 1 << 13,     // ABI 2
  kTruncate = 1 << 14,  // ABI 3
};

// What each ABI can handle, from its first version on (index 0: ABI 1): all of it is refused unless a rule allows it.
constexpr uint64_t kHandledFiles[] = {0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
constexpr uint64_t kHandledNet = 0x3;  // ABI 4: bind and connect of TCP
constexpr uint64_t kScoped = 0x3;      // ABI 6: abstract Unix sockets and signals outside

struct RulesetAttributes {
  uint64_t files, net, scoped;
};

struct PathBeneath {
  uint64_t allowed;
  int32_t parent;
} __attribute__((packed));

absl::Status Allow(int ruleset, const std::filesystem::path& path, uint64_t rights, uint64_t handled, bool required) {
  UniqueFd folder(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!folder.valid()) {
    if (!required && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return absl::OkStatus();
    return ErrnoStatus(errno, fmt::format("open {} for the jail", path.string()));
  }
  struct stat info {};
  if (fstat(folder.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("look at {}", path.string()));
  if (!S_ISDIR(info.st_mode)) rights &= kExecute | kWriteFile | kReadFile | kTruncate;
  const PathBeneath rule{rights & handled, folder.get()};
  if (syscall(kAddRule, ruleset, kRulePathBeneath, &rule, 0) != 0) {
    return ErrnoStatus(errno, fmt::format("allow {} in the jail", path.string()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> RestrictFiles(const JailOptions& options) {
  const long abi = syscall(kCreateRuleset, nullptr, 0, kVersionFlag);
  if (abi < 1) return false;  // not built in, or switched off at boot
  RulesetAttributes attributes{};
  attributes.files = kHandledFiles[std::min<long>(abi, std::size(kHandledFiles)) - 1];
  size_t size = sizeof(uint64_t);
  if (abi >= 4) {
    attributes.net = kHandledNet;
    size += sizeof(uint64_t);
  }
  if (abi >= 6) {
    attributes.scoped = kScoped;
    size += sizeof(uint64_t);
  }
  UniqueFd ruleset(static_cast<int>(syscall(kCreateRuleset, &attributes, size, 0)));
  if (!ruleset.valid()) return ErrnoStatus(errno, "make the jail's rules");

  const uint64_t read = kReadFile | kReadDir | (options.may_exec ? uint64_t{kExecute} : 0);
  for (const auto& path : options.readable) {
    RETURN_IF_ERROR(Allow(ruleset.get(), path, read, attributes.files, /*required=*/false));
  }
  for (const auto& path : options.openable) {
    RETURN_IF_ERROR(Allow(ruleset.get(), path, kReadFile, attributes.files, /*required=*/false));
  }
  if (!options.writable.empty()) {
    const uint64_t write =
        kReadFile | kReadDir | kWriteFile | kRemoveDir | kRemoveFile | kMakeDir | kMakeReg | kRefer | kTruncate;
    RETURN_IF_ERROR(Allow(ruleset.get(), options.writable, write, attributes.files, /*required=*/true));
  }
  if (syscall(kRestrictSelf, ruleset.get(), 0) != 0) return ErrnoStatus(errno, "enter the jail's rules");
  return true;
}

}  // namespace slipway
