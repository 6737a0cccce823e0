#include "coordinator/service/call_metrics.h"

#include <grpcpp/support/server_interceptor.h>

#include "absl/status/status.h"
#include "common/metrics/metrics.h"

namespace slipway {
namespace {

using grpc::experimental::InterceptionHookPoints;

const metrics::Counter kCalls("slipway_grpc_calls_total", "Calls that ended, by method and status code.",
                              {"method", "code"});
const metrics::Histogram kSeconds("slipway_grpc_call_seconds", "Time of a call from its first byte to its status.",
                                  {"method"});

// Ours are few; of others' (reflection, health, unknown) one series.
std::string_view MethodName(std::string_view path) {
  constexpr std::string_view kOurs = "/slipway.v1.";
  return path.starts_with(kOurs) ? path.substr(kOurs.size()) : "other";
}

// Lives as long as its call.
class CallTimer final : public grpc::experimental::Interceptor {
 public:
  explicit CallTimer(std::string_view method) : method_(MethodName(method)), start_(metrics::Histogram::Now()) {}
  ~CallTimer() override {
    kCalls.Add({method_, absl::StatusCodeToString(code_)});
    kSeconds.Since(start_, {method_});
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS))
      code_ = static_cast<absl::StatusCode>(methods->GetSendStatus().error_code());
    methods->Proceed();
  }

 private:
  const std::string method_;
  const absl::Time start_;
  absl::StatusCode code_ = absl::StatusCode::kCancelled;  // of a caller that left before there was any
};

class CallTimers final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return new CallTimer(info->method());
  }
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> TimeCalls() {
  return metrics::Enabled() ? std::make_unique<CallTimers>() : nullptr;
}

}  // namespace slipway
