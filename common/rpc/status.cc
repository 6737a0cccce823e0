#include "common/rpc/status.h"

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr char kKindKey[] = "slipway-error-kind";
constexpr ErrorKind kKinds[] = {ErrorKind::kUsage, ErrorKind::kModel, ErrorKind::kMachine, ErrorKind::kCancelled};

}  // namespace

grpc::Status ToGrpc(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (status.ok()) return grpc::Status::OK;
  context.AddTrailingMetadata(kKindKey, std::string(Name(KindOf(status))));
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Message(status));
}

absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(kKindKey);
  if (found != metadata.end()) {
    for (ErrorKind kind : kKinds) {
      if (Name(kind) == std::string_view(found->second.data(), found->second.size())) return WithKind(result, kind);
    }
  }
  return WithKind(result, absl::IsCancelled(result) ? ErrorKind::kCancelled : ErrorKind::kMachine);
}

}  // namespace slipway
