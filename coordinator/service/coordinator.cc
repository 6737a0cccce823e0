#include "coordinator/service/coordinator.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include "common/access/tokens.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/rpc/address.h"
#include "common/rpc/endpoint.h"
#include "coordinator/planner/spec_cache.h"
#include "coordinator/service/ask_first.h"
#include "coordinator/service/audit_log.h"
#include "coordinator/service/blob_service.h"
#include "coordinator/service/call_metrics.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/executor.h"
#include "coordinator/service/export_service.h"
#include "coordinator/service/fleet_service.h"
#include "coordinator/service/maintenance.h"
#include "coordinator/service/malformed_calls.h"
#include "coordinator/watch/watch_hub.h"

namespace slipway {
namespace {

constexpr int kCallThreads = 8;
constexpr int kBlobThreads = 4;
constexpr size_t kHealthReceiveBytes = 16 << 20;

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

Access::By KnownBy(const CoordinatorOptions& options) {
  if (!options.tokens.empty()) return Access::By::kToken;
  return options.tls.ca.empty() ? Access::By::kNothing : Access::By::kCertificate;
}

absl::StatusOr<Address> ParseAddress(std::string_view flag, const std::string& text) {
  absl::StatusOr<Address> address = Address::Parse(text);
  if (!address.ok()) return Annotate(address.status(), flag);
  return address;
}

absl::StatusOr<Address> ListenAddress(const std::string& text, const CoordinatorOptions& options) {
  ASSIGN_OR_RETURN(Address address, ParseAddress("--listen", text));
  if (address.is_unix() && KnownBy(options) == Access::By::kCertificate) {
    return Usage(
        InvalidArgument("{}: nobody shows a certificate there, so nobody could say who calls; give callers tokens "
                        "(--tokens), or listen elsewhere",
                        text));
  }
  if (address.IsLocal() || options.insecure) return address;
  if (options.tls.certificate.empty()) {
    return Usage(
        InvalidArgument("{} is reached by other machines, and nothing on it would be encrypted; name a "
                        "certificate (--tls-cert, --tls-key), listen on 127.0.0.1 or a Unix socket, or pass "
                        "--insecure",
                        text));
  }
  if (KnownBy(options) == Access::By::kNothing) {
    return Usage(
        InvalidArgument("{} is reached by other machines, and whoever calls could do anything; say who may "
                        "(--tokens, --tls-client-ca), or pass --insecure",
                        text));
  }
  return address;
}

struct Prepared {
  std::vector<Address> addresses;
  std::optional<Address> health_address;
  std::unique_ptr<TokenFile> tokens;
  std::unique_ptr<AuditLog> audit;
};

absl::StatusOr<Prepared> Prepare(const CoordinatorOptions& options) {
  Prepared prepared;
  for (const std::string& text : options.listen) {
    ASSIGN_OR_RETURN(prepared.addresses.emplace_back(), ListenAddress(text, options));
  }
  if (prepared.addresses.empty()) return Usage(InvalidArgument("there is no address to listen on; pass --listen"));
  if (!options.health_listen.empty()) {
    ASSIGN_OR_RETURN(
        prepared.health_address,
        ParseAddress("--health-listen", options.health_listen));  // probes come from elsewhere; it tells nothing else
  }
  if (!options.tokens.empty()) {
    absl::StatusOr<std::unique_ptr<TokenFile>> opened = TokenFile::Open(options.tokens);
    if (absl::IsNotFound(opened.status())) {
      return Usage(absl::NotFoundError(fmt::format("--tokens: {}; `slipway token new --tokens {}` makes the file",
                                                   Message(opened.status()), options.tokens)));
    }
    if (!opened.ok()) return Annotate(opened.status(), "--tokens");
    prepared.tokens = *std::move(opened);
  }
  if (!options.audit_log.empty()) {
    ASSIGN_OR_RETURN(prepared.audit, AuditLog::Open(options.audit_log));
  }
  return prepared;
}

// Linked in, reflection comes with every server of the process; this says whether with this one.
class Reflection final : public grpc::ServerBuilderOption {
 public:
  explicit Reflection(bool wanted) : wanted_(wanted) {}
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->clear();
    if (wanted_) plugins->push_back(std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>());
  }

 private:
  const bool wanted_;
};

using Interceptors = std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>;

// A server whose addresses are known once it runs.
struct Listening {
  std::unique_ptr<grpc::Server> server;
  std::vector<std::string> addresses;
};

// TCP addresses by TLS if there is a certificate, Unix sockets never.
// Of bytes received and not yet taken it holds about `receive_bytes`; above, gRPC ends calls and connections. (Its limit of a message's size
// counts whole messages only.)
absl::StatusOr<Listening> Listen(grpc::ServerBuilder& builder, std::vector<Address> addresses, const TlsFiles& tls,
                                 size_t receive_bytes) {
  const std::shared_ptr<grpc::ServerCredentials> plain = grpc::InsecureServerCredentials();
  std::shared_ptr<grpc::ServerCredentials> encrypted = plain;
  if (!(tls == TlsFiles{})) {
    ASSIGN_OR_RETURN(encrypted, ServerTlsCredentials(tls));
  }
  std::vector<int> ports(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    builder.AddListeningPort(addresses[i].ListenTarget(), addresses[i].is_unix() ? plain : encrypted, &ports[i]);
  }
  ConfigureServer(builder);
  builder.SetResourceQuota(grpc::ResourceQuota("received").Resize(receive_bytes));
  Listening listening{.server = builder.BuildAndStart()};
  for (size_t i = 0; i < addresses.size(); ++i) {
    // Those that gRPC could open before the one at which it gave up have their ports.
    if (ports[i] == 0 || (listening.server == nullptr && i + 1 == addresses.size())) {
      if (listening.server != nullptr) listening.server->Shutdown();
      return Unavailable("cannot listen on {}: the address is in use, not this machine's, or not permitted",
                         addresses[i].ToString());
    }
    if (!addresses[i].is_unix()) addresses[i].port = ports[i];
    listening.addresses.push_back(addresses[i].ToString());
  }
  return listening;
}

class GrpcCoordinator final : public Coordinator {
 public:
  GrpcCoordinator(const CoordinatorOptions& options, Queue& queue, Store& store, std::unique_ptr<TokenFile> tokens,
                  std::unique_ptr<AuditLog> audit)
      : tls_(options.tls),
        receive_bytes_(options.receive_bytes),
        tokens_(std::move(tokens)),
        audit_(std::move(audit)),
        access_(KnownBy(options), tokens_.get(), audit_.get(), troubles_),
        specs_(store),
        watches_(queue, specs_),
        calls_(kCallThreads, options.max_waiting_calls),
        blob_calls_(kBlobThreads, options.max_waiting_calls),
        exports_(options.shard, queue, store, specs_, watches_, access_, calls_),
        blobs_(store, access_, blob_calls_),
        fleet_(queue, access_, calls_),
        maintenance_(queue, options.maintain_every) {}
  ~GrpcCoordinator() override { Stop(absl::ZeroDuration()); }

  absl::Status Serve(const std::vector<Address>& addresses, const std::optional<Address>& health_address) {
    // A process-wide switch; a server without health says so by an option.
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
    for (const auto& [service, name] : services_) {
      if (tokens_ != nullptr) {
        builder.RegisterService(asking_.emplace_back(AskFirst(*service, name, access_)).get());
      } else {
        builder.RegisterService(service);
      }
    }
    // It asks nobody who they are.
    builder.SetOption(std::make_unique<Reflection>(/*wanted=*/tokens_ == nullptr));
    Interceptors interceptors;
    interceptors.push_back(ExplainMalformedCalls(access_));
    if (auto timers = TimeCalls()) interceptors.push_back(std::move(timers));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    ASSIGN_OR_RETURN(main_, Listen(builder, addresses, tls_, receive_bytes_));
    if (!health_address.has_value()) return absl::OkStatus();
    grpc::ServerBuilder health_builder;
    health_builder.SetOption(std::make_unique<Reflection>(/*wanted=*/false));
    health_builder.RegisterCallbackGenericService(&nothing_else_);
    ASSIGN_OR_RETURN(health_, Listen(health_builder, {*health_address}, {}, kHealthReceiveBytes));
    SetHealth(true);
    return absl::OkStatus();
  }

  const std::vector<std::string>& addresses() const override { return main_.addresses; }
  const std::string& health_address() const override {
    static const std::string none;
    return health_.addresses.empty() ? none : health_.addresses.front();
  }

  void Reload() override {
    if (tokens_ != nullptr) tokens_->Refresh();
    if (audit_ != nullptr) audit_->Reopen();
  }

  void Stop(absl::Duration grace) override {
    const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace);
    if (health_.server != nullptr) SetHealth(false);
    watches_.Close();
    if (main_.server != nullptr) {
      main_.server->Shutdown(deadline);
      main_.server->Wait();
      main_.server.reset();
    }
    if (health_.server != nullptr) {
      health_.server->Shutdown(deadline);
      health_.server->Wait();
      health_.server.reset();
    }
  }

 private:
  void SetHealth(bool serving) {
    grpc::HealthCheckServiceInterface* health = health_.server->GetHealthCheckService();
    health->SetServingStatus("", serving);
    for (const auto& [service, name] : services_) health->SetServingStatus(name, serving);
  }

  const TlsFiles tls_;
  const size_t receive_bytes_;
  const std::unique_ptr<TokenFile> tokens_;
  const std::unique_ptr<AuditLog> audit_;
  Troubles troubles_;
  const Access access_;
  SpecCache specs_;
  WatchHub watches_;
  Executor calls_, blob_calls_;
  ExportService exports_;
  BlobService blobs_;
  FleetService fleet_;
  const std::pair<grpc::Service*, const char*> services_[3] = {{&exports_, v1::ExportService::service_full_name()},
                                                               {&blobs_, v1::BlobService::service_full_name()},
                                                               {&fleet_, v1::FleetService::service_full_name()}};
  std::vector<std::unique_ptr<grpc::Service>> asking_;  // in front of them
  Maintenance maintenance_;
  grpc::CallbackGenericService nothing_else_;  // a server of health alone would have no methods that gRPC counts
  Listening main_, health_;
};

}  // namespace

absl::Status Coordinator::Check(const CoordinatorOptions& options) {
  if (!(options.tls == TlsFiles{})) RETURN_IF_ERROR(ServerTlsCredentials(options.tls).status());
  return Prepare(options).status();
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Start(const CoordinatorOptions& options, Queue& queue,
                                                                Store& store) {
  ASSIGN_OR_RETURN(Prepared prepared, Prepare(options));
  auto coordinator =
      std::make_unique<GrpcCoordinator>(options, queue, store, std::move(prepared.tokens), std::move(prepared.audit));
  RETURN_IF_ERROR(coordinator->Serve(prepared.addresses, prepared.health_address));
  return coordinator;
}

}  // namespace slipway
