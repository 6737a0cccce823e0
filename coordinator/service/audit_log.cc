#include "coordinator/service/audit_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"

namespace slipway {
namespace {

constexpr size_t kMaxWord = 200;  // a caller may write anything into a request's id

UniqueFd OpenToAppend(const std::filesystem::path& file) {
  return UniqueFd(open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
}

std::string Word(std::string_view text) { return std::string(text.substr(0, kMaxWord)); }

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::filesystem::path& file) {
  std::unique_ptr<AuditLog> log(new AuditLog(file));
  log->out_ = OpenToAppend(file);
  if (!log->out_.valid()) {
    const absl::Status status = ErrnoStatus(errno, fmt::format("--audit-log: open {}", file.string()));
    return WithKind(absl::Status(status.code(), fmt::format("{}; name a file in a folder that is there and that this "
                                                            "user (id {}) may write to",
                                                            Message(status), geteuid())),
                    ErrorKind::kUsage);
  }
  return log;
}

void AuditLog::Write(const AuditRecord& record) {
  const nlohmann::ordered_json json = {
      {"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone())},
      {"peer", Word(record.peer)},
      {"tenant", Word(record.tenant)},
      {"role", Word(record.role)},
      {"name", Word(record.name)},
      {"method", Word(record.method)},
      {"subject", Word(record.subject)},
      {"code", Word(record.code)}};
  const std::string line = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::lock_guard lock(mutex_);
  const bool failed = write(out_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size());
  if (failed && !failing_)
    LogError("the audit log cannot be written",
             {{"file", file_.string()}, {"reason", Message(ErrnoStatus(errno, "write"))}});
  if (!failed && failing_) LogWarning("the audit log is written again", {{"file", file_.string()}});
  failing_ = failed;
}

void AuditLog::Reopen() {
  UniqueFd out = OpenToAppend(file_);
  if (!out.valid()) {
    LogError("the audit log cannot be opened; the earlier file is written on",
             {{"file", file_.string()}, {"reason", Message(ErrnoStatus(errno, file_.string()))}});
    return;
  }
  std::lock_guard lock(mutex_);
  out_ = std::move(out);
}

}  // namespace slipway
