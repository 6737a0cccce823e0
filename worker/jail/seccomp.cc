#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common/base/error.h"
#include "worker/jail/layers.h"

namespace slipway {
namespace {

// Refused with EPERM whatever the arguments. By name, so that those that the building machine's headers do not know are
// refused too.
constexpr const char* kRefused[] = {
    // Talking to anyone but through inherited descriptors. socketpair too: a datagram socket can send to any Unix
    // address.
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    // Other processes' memory, descriptors and fate.
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_open",
    "pidfd_getfd", "pidfd_send_signal", "kcmp", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "perf_event_open",
    "migrate_pages", "move_pages",
    // New processes: the kernel would not end them with their parent.
    "fork", "vfork",
    // Large kernel surfaces that no converter or runtime needs.
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "userfaultfd", "add_key", "request_key", "keyctl",
    "name_to_handle_at", "open_by_handle_at", "fanotify_init", "inotify_init", "inotify_init1", "lookup_dcookie",
    "nfsservctl", "modify_ldt", "personality", "vmsplice", "uselib", "ustat", "sysfs", "_sysctl", "quotactl",
    "quotactl_fd", "acct", "syslog", "mq_open", "msgget", "semget", "shmget",
    // Namespaces, mounts, the machine.
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "reboot", "kexec_load", "kexec_file_load",
    "init_module", "finit_module", "delete_module", "sethostname", "setdomainname", "settimeofday", "clock_settime",
    "clock_adjtime", "adjtimex", "iopl", "ioperm",
    // Whose a file is and who may use it: inherited inputs belong to the store.
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr",
    "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    // Leaving the process group by which the inmate is ended, and changing who it is.
    "setsid", "setpgid", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset",
    // The jail's own.
    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"};

constexpr const char* kRefusedWithoutExec[] = {"execve", "execveat"};

struct Release {
  void operator()(scmp_filter_ctx filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

absl::Status Refuse(const Filter& filter, const char* name, int error_number = EPERM) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number < 0) return absl::OkStatus();  // unknown to this library or not on this architecture
  const int result = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(static_cast<uint32_t>(error_number)), number, 0);
  if (result != 0) return ErrnoStatus(-result, fmt::format("refuse {} in the jail", name));
  return absl::OkStatus();
}

absl::Status RefuseWhen(const Filter& filter, const char* name, scmp_arg_cmp condition) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number < 0) return absl::OkStatus();
  const int result = seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 1, &condition);
  if (result != 0) return ErrnoStatus(-result, fmt::format("refuse {} in the jail", name));
  return absl::OkStatus();
}

absl::Status AddRules(const Filter& filter, const JailOptions& options) {
  for (const char* name : kRefused) RETURN_IF_ERROR(Refuse(filter, name));
  if (!options.may_exec) {
    for (const char* name : kRefusedWithoutExec) RETURN_IF_ERROR(Refuse(filter, name));
  }
  // clone3's flags lie in memory, out of a filter's sight; told that there is none, glibc uses clone.
  RETURN_IF_ERROR(Refuse(filter, "clone3", ENOSYS));
  RETURN_IF_ERROR(RefuseWhen(filter, "clone", SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)));
  RETURN_IF_ERROR(RefuseWhen(filter, "prctl", SCMP_CMP(0, SCMP_CMP_EQ, PR_SET_PDEATHSIG)));
  RETURN_IF_ERROR(RefuseWhen(filter, "ioctl", SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI)));
  RETURN_IF_ERROR(RefuseWhen(filter, "ioctl", SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCLINUX)));
  // abort() and raise() signal this process, which is all that a signal may reach.
  const auto self = static_cast<scmp_datum_t>(getpid());
  RETURN_IF_ERROR(RefuseWhen(filter, "kill", SCMP_CMP(0, SCMP_CMP_NE, self)));
  RETURN_IF_ERROR(RefuseWhen(filter, "prlimit64", SCMP_CMP(0, SCMP_CMP_NE, 0)));
  RETURN_IF_ERROR(RefuseWhen(filter, "tgkill", SCMP_CMP(0, SCMP_CMP_NE, self)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> RestrictSystemCalls(const JailOptions& options) {
  Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (filter == nullptr) return Internal("libseccomp could not make a filter");
  RETURN_IF_ERROR(AddRules(filter, options));
  const int result = seccomp_load(filter.get());
  if (result == -EINVAL || result == -ENOSYS || result == -EACCES || result == -ECANCELED)
    return false;  // not in this kernel, or refused
  if (result != 0) return ErrnoStatus(-result, "load the jail's filter");
  return true;
}

}  // namespace slipway
