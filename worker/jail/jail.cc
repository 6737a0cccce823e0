#include "worker/jail/jail.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "absl/base/config.h"
#include "common/base/error.h"
#include "worker/jail/layers.h"

namespace slipway {
namespace {

absl::Status Limit(__rlimit_resource resource, rlim_t value, std::string_view what) {
  const rlimit limit{value, value};
  if (setrlimit(resource, &limit) != 0) return ErrnoStatus(errno, what);
  return absl::OkStatus();
}

// RLIMIT_DATA for max_memory. A sanitizer's shadow counts, terabytes that few pages of are touched; what is executed has none, but until then no
// mapping could be made below it.
rlim_t DataLimit(const JailOptions& options) {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
  if (options.may_exec) return RLIM_INFINITY;
  std::ifstream statm("/proc/self/statm");  // pages: size, resident, shared, text, lib, data
  rlim_t pages = 0;
  for (int field = 0; field < 6; ++field) statm >> pages;
  return options.max_memory + pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
#else
  return options.max_memory;
#endif
}

absl::Status DropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return ErrnoStatus(errno, "read this process's capabilities");
  // Root may find the runtimes in a folder that only its owner can read; Landlock still says which folders those are.
  const uint32_t kept = 1u << CAP_DAC_READ_SEARCH;
  __user_cap_data_struct reduced[2]{};
  reduced[0].permitted = data[0].permitted & kept;
  reduced[0].effective = data[0].effective & kept;
  if (syscall(SYS_capset, &header, reduced) != 0) return ErrnoStatus(errno, "drop this process's capabilities");
  return absl::OkStatus();
}

}  // namespace

std::string_view Name(JailLevel level) {
  switch (level) {
    case JailLevel::kNone:
      return "none";
    case JailLevel::kPartial:
      return "partial";
    case JailLevel::kFull:
      return "full";
  }
  return "none";
}

absl::StatusOr<JailLevel> EnterJail(const JailOptions& options) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoStatus(errno, "give up new privileges");
  RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "switch core dumps off"));
  // Private writable mappings: heap and stacks, but not the models, which are mapped for reading.
  if (options.max_memory > 0) RETURN_IF_ERROR(Limit(RLIMIT_DATA, DataLimit(options), "limit the memory"));
  RETURN_IF_ERROR(DropCapabilities());
  ASSIGN_OR_RETURN(const bool confined, RestrictFiles(options));
  ASSIGN_OR_RETURN(const bool filtered, RestrictSystemCalls(options));
  return confined && filtered ? JailLevel::kPartial : JailLevel::kNone;
}

}  // namespace slipway
