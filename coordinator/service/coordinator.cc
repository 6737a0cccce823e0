#include "coordinator/service/coordinator.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/rpc/address.h"
#include "common/rpc/endpoint.h"
#include "coordinator/planner/spec_cache.h"
#include "coordinator/service/blob_service.h"
#include "coordinator/service/call_metrics.h"
#include "coordinator/service/executor.h"
#include "coordinator/service/export_service.h"
#include "coordinator/service/fleet_service.h"
#include "coordinator/service/maintenance.h"
#include "coordinator/watch/watch_hub.h"

namespace slipway {
namespace {

constexpr int kCallThreads = 8;
constexpr int kBlobThreads = 4;
constexpr size_t kMaxWaitingCalls = 1000;

absl::StatusOr<Address> ListenAddress(const std::string& text, bool insecure) {
  ASSIGN_OR_RETURN(Address address, Address::Parse(text));
  if (address.IsLocal() || insecure) return address;
  return WithKind(InvalidArgument("{} is reached by other machines, and nothing on it would be encrypted; listen on "
                                  "127.0.0.1 or a Unix socket, or pass --insecure",
                                  text),
                  ErrorKind::kUsage);
}

// A server whose addresses are known once it runs.
struct Listening {
  std::unique_ptr<grpc::Server> server;
  std::vector<std::string> addresses;
};

absl::StatusOr<Listening> Listen(grpc::ServerBuilder& builder, std::vector<Address> addresses) {
  std::vector<int> ports(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    builder.AddListeningPort(addresses[i].ListenTarget(), grpc::InsecureServerCredentials(), &ports[i]);
  }
  ConfigureServer(builder);
  Listening listening{.server = builder.BuildAndStart()};
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (listening.server == nullptr || ports[i] == 0) {
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
  GrpcCoordinator(const CoordinatorOptions& options, Queue& queue, Store& store)
      : specs_(store),
        watches_(queue, specs_),
        calls_(kCallThreads, kMaxWaitingCalls),
        blob_calls_(kBlobThreads, kMaxWaitingCalls),
        exports_(options.shard, queue, store, specs_, watches_, calls_),
        blobs_(store, blob_calls_),
        fleet_(queue, calls_),
        maintenance_(queue, options.maintain_every) {}
  ~GrpcCoordinator() override { Stop(absl::ZeroDuration()); }

  absl::Status Serve(const std::vector<Address>& addresses, const std::optional<Address>& health_address) {
    // Both are process-wide switches; a server without health says so by an option.
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
    for (grpc::Service* service : services_) builder.RegisterService(service);
    MeasureCalls(builder);
    ASSIGN_OR_RETURN(main_, Listen(builder, addresses));
    if (!health_address.has_value()) return absl::OkStatus();
    grpc::ServerBuilder health_builder;
    ASSIGN_OR_RETURN(health_, Listen(health_builder, {*health_address}));
    SetHealth(true);
    return absl::OkStatus();
  }

  const std::vector<std::string>& addresses() const override { return main_.addresses; }
  const std::string& health_address() const override {
    static const std::string none;
    return health_.addresses.empty() ? none : health_.addresses.front();
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
    for (const char* name : {v1::ExportService::service_full_name(), v1::BlobService::service_full_name(),
                             v1::FleetService::service_full_name()}) {
      health->SetServingStatus(name, serving);
    }
  }

  SpecCache specs_;
  WatchHub watches_;
  Executor calls_, blob_calls_;
  ExportService exports_;
  BlobService blobs_;
  FleetService fleet_;
  grpc::Service* const services_[3] = {&exports_, &blobs_, &fleet_};
  Maintenance maintenance_;
  Listening main_, health_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Start(const CoordinatorOptions& options, Queue& queue,
                                                                Store& store) {
  std::vector<Address> addresses;
  for (const std::string& text : options.listen) {
    ASSIGN_OR_RETURN(addresses.emplace_back(), ListenAddress(text, options.insecure));
  }
  if (addresses.empty())
    return WithKind(InvalidArgument("there is no address to listen on; pass --listen"), ErrorKind::kUsage);
  std::optional<Address> health_address;
  if (!options.health_listen.empty()) {
    ASSIGN_OR_RETURN(
        health_address,
        ListenAddress(options.health_listen, /*insecure=*/true));  // probes come from elsewhere; it tells nothing else
  }
  auto coordinator = std::make_unique<GrpcCoordinator>(options, queue, store);
  RETURN_IF_ERROR(coordinator->Serve(addresses, health_address));
  return coordinator;
}

}  // namespace slipway
