#include "coordinator/service/malformed_calls.h"

#include <grpcpp/support/server_interceptor.h>

#include "common/base/error.h"

namespace slipway {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr std::string_view kOurs = "/slipway.v1.";

class Explainer final : public grpc::experimental::Interceptor {
 public:
  Explainer(const Access& access, grpc::experimental::ServerRpcInfo& info) : access_(access), info_(info) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      // Ours never say so; gRPC says it of unknown methods, which have no handler to be intercepted, and of these.
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
    return std::string_view(info->method()).starts_with(kOurs) ? new Explainer(access_, *info) : nullptr;
  }

 private:
  const Access& access_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ExplainMalformedCalls(const Access& access) {
  return std::make_unique<Explainers>(access);
}

}  // namespace slipway
