#include "common/base/error.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"

namespace slipway {
namespace {

constexpr char kKindUrl[] = "slipway/error-kind";
constexpr std::string_view kNames[] = {"usage", "model", "machine", "cancelled"};

absl::StatusCode CodeOfErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kResourceExhausted;
    case ETIMEDOUT:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

std::string_view Name(ErrorKind kind) { return kNames[static_cast<size_t>(kind)]; }

absl::Status WithKind(absl::Status status, ErrorKind kind) {
  if (!status.ok()) status.SetPayload(kKindUrl, absl::Cord(std::string(Name(kind))));
  return status;
}

ErrorKind KindOf(const absl::Status& status) {
  if (auto payload = status.GetPayload(kKindUrl)) {
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (*payload == std::string(kNames[i])) return static_cast<ErrorKind>(i);
    }
  }
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return ErrorKind::kModel;
    case absl::StatusCode::kCancelled:
      return ErrorKind::kCancelled;
    default:
      return ErrorKind::kMachine;
  }
}

absl::Status Annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), fmt::format("{}: {}", prefix, Message(status)));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { annotated.SetPayload(url, payload); });
  return annotated;
}

absl::Status ErrnoStatus(int error_number, std::string_view what) {
  char buffer[256];
  const char* text = strerror_r(error_number, buffer, sizeof(buffer));
  return WithKind(absl::Status(CodeOfErrno(error_number), fmt::format("{}: {}", what, text)), ErrorKind::kMachine);
}

}  // namespace slipway
