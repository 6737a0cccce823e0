// Errors: absl::Status whose code says what the caller should do next, plus an ErrorKind that says whose fault it is.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway {

// Whose fault an error is; decides exit codes, retries and what may be cached.
enum class ErrorKind {
  kUsage,      // the request is impossible: nothing starts (exit 2)
  kModel,      // the model's own fault (unreadable, unsupported op): never retried on the same build, exit 1 or 4
  kMachine,    // disk, network, Redis, a killed process: trying again may help (exit 5)
  kCancelled,  // the user asked for it (exit 130)
};

std::string_view Name(ErrorKind kind);  // "usage", "model", "machine", "cancelled"

// Attaches `kind` to a non-ok status, replacing an earlier one.
absl::Status WithKind(absl::Status status, ErrorKind kind);

// The attached kind; without one, by code: INVALID_ARGUMENT, UNIMPLEMENTED, OUT_OF_RANGE, DATA_LOSS → kModel; CANCELLED
// → kCancelled; else kMachine.
ErrorKind KindOf(const absl::Status& status);

// "<prefix>: <message>", code and kind kept. For saying where an error happened.
absl::Status Annotate(const absl::Status& status, std::string_view prefix);

// One line of text: what, where, how to fix.
inline std::string Message(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

// Constructors with fmt-style messages. (Debian's absl::string_view is not std's, so StrCat does not take ours.)
#define SLIPWAY_ERROR_FUNCTION(name, code)                                       \
  template <typename... Args>                                                    \
  absl::Status name(fmt::format_string<Args...> format, Args&&... args) {        \
    return absl::Status(code, fmt::format(format, std::forward<Args>(args)...)); \
  }
SLIPWAY_ERROR_FUNCTION(InvalidArgument, absl::StatusCode::kInvalidArgument)
SLIPWAY_ERROR_FUNCTION(Unimplemented, absl::StatusCode::kUnimplemented)
SLIPWAY_ERROR_FUNCTION(NotFound, absl::StatusCode::kNotFound)
SLIPWAY_ERROR_FUNCTION(DataLoss, absl::StatusCode::kDataLoss)
SLIPWAY_ERROR_FUNCTION(Unavailable, absl::StatusCode::kUnavailable)
SLIPWAY_ERROR_FUNCTION(ResourceExhausted, absl::StatusCode::kResourceExhausted)
SLIPWAY_ERROR_FUNCTION(FailedPrecondition, absl::StatusCode::kFailedPrecondition)
SLIPWAY_ERROR_FUNCTION(Aborted, absl::StatusCode::kAborted)
SLIPWAY_ERROR_FUNCTION(Cancelled, absl::StatusCode::kCancelled)
SLIPWAY_ERROR_FUNCTION(DeadlineExceeded, absl::StatusCode::kDeadlineExceeded)
SLIPWAY_ERROR_FUNCTION(PermissionDenied, absl::StatusCode::kPermissionDenied)
SLIPWAY_ERROR_FUNCTION(Internal, absl::StatusCode::kInternal)
#undef SLIPWAY_ERROR_FUNCTION

// Status of a failed system call: "<what>: <strerror>", UNAVAILABLE/RESOURCE_EXHAUSTED/NOT_FOUND/… by errno, kind
// kMachine.
absl::Status ErrnoStatus(int error_number, std::string_view what);

#define SLIPWAY_CONCAT_INNER(a, b) a##b
#define SLIPWAY_CONCAT(a, b) SLIPWAY_CONCAT_INNER(a, b)
#define RETURN_IF_ERROR(expression)                                           \
  do {                                                                        \
    if (::absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)
#define ASSIGN_OR_RETURN(lhs, expression) ASSIGN_OR_RETURN_IMPL(SLIPWAY_CONCAT(result_, __LINE__), lhs, expression)
#define ASSIGN_OR_RETURN_IMPL(result, lhs, expression) \
  auto result = (expression);                          \
  if (!result.ok()) return result.status();            \
  lhs = *std::move(result)

}  // namespace slipway
