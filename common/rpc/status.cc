#include "common/rpc/status.h"

#include <charconv>

#include "common/base/error.h"
#include "common/base/retry_after.h"
#include "common/base/told.h"

namespace slipway {
namespace {

constexpr char kKindKey[] = "slipway-error-kind";
constexpr char kRetryKey[] = "slipway-retry-after-ms";
// A peer takes 8 KiB of trailing metadata, in which all but printable ASCII is percent-encoded; more of it, and the call
// ends with an error of gRPC's own in place of ours.
constexpr size_t kMaxEncodedMessage = 7600;
constexpr ErrorKind kKinds[] = {ErrorKind::kUsage, ErrorKind::kModel, ErrorKind::kMachine, ErrorKind::kCancelled};

// As much of the message as fits, cut between characters.
std::string Fitting(std::string message) {
  size_t encoded = 0, whole = 0;  // `whole`: where the character before ends
  for (size_t i = 0; i < message.size(); ++i) {
    const auto c = static_cast<unsigned char>(message[i]);
    if ((c & 0xc0) != 0x80) whole = i;
    encoded += c >= ' ' && c <= '~' && c != '%' ? 1 : 3;
    if (encoded > kMaxEncodedMessage) return message.substr(0, whole) + "...";
  }
  return message;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (status.ok()) return grpc::Status::OK;
  context.AddTrailingMetadata(kKindKey, std::string(Name(KindOf(status))));
  if (const auto wait = RetryAfterOf(status))
    context.AddTrailingMetadata(kRetryKey, std::to_string(absl::ToInt64Milliseconds(*wait)));
  const bool same_machine = context.peer().starts_with("unix:");
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      Fitting(same_machine ? Message(status) : Told(status)));
}

absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  const auto& metadata = context.GetServerTrailingMetadata();
  if (const auto wait = metadata.find(kRetryKey); wait != metadata.end()) {
    int64_t milliseconds = 0;
    const auto [end, error] =
        std::from_chars(wait->second.data(), wait->second.data() + wait->second.size(), milliseconds);
    if (error == std::errc() && end == wait->second.data() + wait->second.size() && milliseconds > 0)
      result = WithRetryAfter(std::move(result), absl::Milliseconds(milliseconds));
  }
  const auto found = metadata.find(kKindKey);
  if (found != metadata.end()) {
    for (ErrorKind kind : kKinds) {
      if (Name(kind) == std::string_view(found->second.data(), found->second.size())) return WithKind(result, kind);
    }
  }
  return WithKind(result, absl::IsCancelled(result) ? ErrorKind::kCancelled : ErrorKind::kMachine);
}

}  // namespace slipway
