// Who did what: a file with a JSON line for every call that has ended, refused ones too.
//   {"time":"2026-01-02T03:04:05.678Z","peer":"ipv4:10.0.0.7:5512","tenant":"research","role":"submit","name":"ci-7",
//    "method":"ExportService/Submit","subject":"0-6f1c2a","code":"OK"}
// `subject` is a request's id or a digest, "" where there is none; tenant, role and name are "" of callers who are nobody.
// No tokens, file names or messages. Lines are appended, each in one write, and synced by the system alone.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace slipway {

struct AuditRecord {
  std::string_view peer, tenant, role, name, method, subject, code;
};

// Thread-safe.
class AuditLog {
 public:
  // Makes the file (0640) if there is none. The errno's status, as usage: it cannot be opened.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const std::filesystem::path& file);
  // A line that cannot be written is lost; that is logged when it begins and when it ends.
  void Write(const AuditRecord& record);
  // Opens the file anew, for those who have renamed it. Where that fails the old one is written on.
  void Reopen();

 private:
  explicit AuditLog(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path file_;
  std::mutex mutex_;
  UniqueFd out_;
  bool failing_ = false;
};

}  // namespace slipway
