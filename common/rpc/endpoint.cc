#include "common/rpc/endpoint.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdlib>
#include <mutex>

#include "absl/synchronization/mutex.h"
#include "common/base/error.h"
#include "common/base/log.h"

namespace slipway {
namespace {

constexpr double kAsksAfter = 0.4;  // of the silence that is borne
constexpr int kServerKeepaliveMs = 20'000;
constexpr int kServerKeepaliveTimeoutMs = 5'000;
constexpr int kMinPingIntervalMs = 400;  // of a client's; well below the shortest that ours have
constexpr int kMaxConnectionAgeMs = 30 * 60 * 1000;
constexpr int kMaxConnectionAgeGraceMs = 5 * 60 * 1000;

void SetUpGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Debian's abseil is built with assertions: each of gRPC's locks would be entered into one graph of all locks held.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    // A connection that is made while no call waits for it is only looked after this often; the default is five seconds.
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0);
    // gRPC writes every refused connection to stderr; callers get those as statuses.
    gpr_set_log_function([](gpr_log_func_args* record) {
      if (record->severity == GPR_LOG_SEVERITY_ERROR) LogDebug("grpc", {{"message", record->message}});
    });
    // And protobuf every string of a caller's that is no UTF-8.
    google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
      LogDebug("protobuf", {{"message", message}});
    });
    // Held for the life of the process: when the last user lets go, gRPC joins its threads, and one that polls a socket
    // for a late writer stays for up to ten seconds.
    grpc_init();
  });
}

// Adds the token to a call. Not by gRPC's call credentials, which no plain-text channel takes.
class TokenBearer final : public grpc::experimental::Interceptor {
 public:
  explicit TokenBearer(const std::string& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;  // the factory's, which the channel keeps
};

class TokenBearers final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenBearers(const std::string& token) : header_("Bearer " + token) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new TokenBearer(header_);
  }

 private:
  const std::string header_;
};

grpc::ChannelArguments ChannelArguments(absl::Duration silence) {
  const auto milliseconds = [](absl::Duration duration) {
    return static_cast<int>(absl::ToInt64Milliseconds(duration));
  };
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  arguments.SetMaxSendMessageSize(kMaxRequestBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(silence * kAsksAfter));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(silence * (1 - kAsksAfter)));
  // A watcher of a quiet request sends nothing else, and would ask twice only.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   5000);  // despite its name: how long one attempt to connect may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const Address& address) {
  SetUpGrpc();
  return grpc::CreateCustomChannel(address.ConnectTarget(), grpc::InsecureChannelCredentials(),
                                   ChannelArguments(kSilence));
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const Address& address, const ChannelSecurity& security,
                                                           absl::Duration silence) {
  RETURN_IF_ERROR(CheckSecurity(address, security));
  SetUpGrpc();
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!address.is_unix()) {
    ASSIGN_OR_RETURN(credentials, ClientCredentials(security));
  }
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (!security.token.empty()) interceptors.push_back(std::make_unique<TokenBearers>(security.token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address.ConnectTarget(), credentials,
                                                                 ChannelArguments(silence), std::move(interceptors));
}

void ConfigureServer(grpc::ServerBuilder& builder) {
  SetUpGrpc();
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetMaxSendMessageSize(kMaxResponseBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kServerKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kServerKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kMaxConnectionAgeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kMaxConnectionAgeGraceMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error, not half of its connections
}

}  // namespace slipway
