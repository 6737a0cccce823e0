#include "coordinator/service/malformed_calls.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <string>

#include "common/base/error.h"

namespace slipway {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr std::string_view kOurs = "/slipway.v1.";

// "/slipway.v1.ExportService/Submit". A method of a newer farm, or of none, is not ours: its caller learns that from UNIMPLEMENTED.
bool IsOurs(std::string method) {
  if (!method.starts_with(kOurs)) return false;
  std::ranges::replace(method, '/', '.');
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(method.substr(1)) != nullptr;
}

class Explainer final : public grpc::experimental::Interceptor {
 public:
  Explainer(const Access& access, grpc::experimental::ServerRpcInfo& info) : access_(access), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      // Our handlers never say so; gRPC says it of these.
      if (const grpc::Status status = methods->GetSendStatus();
          status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty()) {
        methods->ModifySendStatus(Explain());
      }
    }
    methods->Proceed();
  }

 private:
  grpc::Status Explain() {
    const std::string_view method = std::string_view(info_.method()).substr(kOurs.size());
    // All methods of our services are callbacks. Which role this one needs does not matter any more.
    Call call(access_, {.name = method, .needs = Role::kRead},
              static_cast<grpc::CallbackServerContext&>(*info_.server_context()));
    if (!call.admitted().ok()) return call.End(call.admitted());
    return call.End(WithKind(InvalidArgument("what was sent is no message that {} takes (proto/slipway/v1)", method),
                             ErrorKind::kUsage));
  }

  const Access& access_;
  grpc::experimental::ServerRpcInfo& info_;
};

class Explainers final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Explainers(const Access& access) : access_(access) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return IsOurs(info->method()) ? new Explainer(access_, *info) : nullptr;
  }

 private:
  const Access& access_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ExplainMalformedCalls(const Access& access) {
  return std::make_unique<Explainers>(access);
}

}  // namespace slipway
