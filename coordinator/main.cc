// slipway-coordinator: the farm's door. See --help.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/access/identity.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/number_flag.h"
#include "common/metrics/metrics.h"
#include "common/queue/queue.h"
#include "common/queue/redis_flags.h"
#include "common/store/claim.h"
#include "common/store/open_store.h"
#include "coordinator/service/coordinator.h"
#include "coordinator/service/garbage_collector.h"
#include "coordinator/service/queue_metrics.h"

// jemalloc's: few arenas, and what was freed goes back to the system within a second, even while nothing is called. A coordinator has large requests now
// and then and shall not keep their memory in every thread's arena.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:2,background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";

namespace slipway {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitMachine = 5;
constexpr absl::Duration kGrace = absl::Milliseconds(800);  // for calls under way
constexpr absl::Duration kPatience = absl::Seconds(10);     // as we start: Redis may be loading, a mount on its way

constexpr char kExamples[] =
    R"(Every flag has an environment variable: SLIPWAY_ and its name in capitals, '-' as '_'. Flags win.
The Redis password comes from --redis-password-file or the variable SLIPWAY_REDIS_PASSWORD, never from the command line.

Examples:
  slipway-coordinator --redis 127.0.0.1:6379 --store /var/lib/slipway --listen 127.0.0.1:9000
  slipway-coordinator --redis unix:/run/redis.sock --store /mnt/farm --listen 0.0.0.0:9000 --insecure --health-listen 0.0.0.0:9001
  slipway-coordinator --redis redis:6379 --store /mnt/farm --listen 127.0.0.1:9000 --tenant-open-tasks 20000 --tenant-weight research=2.5
  slipway-coordinator --redis redis:6379 --store /mnt/farm --listen 0.0.0.0:9000 --tls-cert farm.pem --tls-key farm.key --tokens /etc/slipway/tokens --audit-log /var/log/slipway/audit.jsonl
  slipway-coordinator --redis sentinel:farm@s1:26379,s2:26379,s3:26379 --redis-tls --redis-tls-ca /etc/slipway/ca.pem \
      --redis-user slipway --redis-password-file /etc/slipway/redis --store /mnt/farm --listen 127.0.0.1:9000
  slipway-coordinator --redis redis:6379 --store 's3://blobs/farm?endpoint=https://minio:9000' --listen 0.0.0.0:9000 --insecure
  SLIPWAY_REDIS=redis:6379 SLIPWAY_STORE=/mnt/farm slipway-coordinator --listen unix:/run/slipway.sock

SIGHUP reads the tokens again, which a second after a change happens anyway, and opens the audit log anew.

Exit: 0 after SIGTERM or SIGINT, 2 usage, 5 the machine (address in use, Redis or store unreachable).)";

struct Flags {
  CoordinatorOptions coordinator;
  QueueOptions queue;
  RedisFlags redis;
  std::string store;
  OpenStoreOptions store_options;
  double garbage_hours = 24;
  bool adopt_store = false;
  double lease_seconds = 15;
  std::vector<std::string> weights;  // TENANT=WEIGHT
  std::string metrics_listen;
  std::string log_level, log_format;
  int ready_fd = -1;
};

constexpr double kLeastReceiveBytes = 16 << 20;  // one message

void DefineFlags(CLI::App& app, Flags& flags) {
  app.add_option("--listen", flags.coordinator.listen,
                 "Address of the API: unix:/PATH or HOST:PORT (port 0: any free one); repeatable")
      ->envname("SLIPWAY_LISTEN")
      ->delimiter(',')
      ->required();
  app.add_option("--health-listen", flags.coordinator.health_listen, "Address of the health service (grpc.health.v1)")
      ->envname("SLIPWAY_HEALTH_LISTEN");
  app.add_option("--metrics-listen", flags.metrics_listen,
                 "IP address and port of the metrics for Prometheus, http://…/metrics (default: none)")
      ->envname("SLIPWAY_METRICS_LISTEN");
  app.add_option("--tls-cert", flags.coordinator.tls.certificate,
                 "PEM file of the certificate shown on HOST:PORT addresses, and those between it and its root")
      ->envname("SLIPWAY_TLS_CERT");
  app.add_option("--tls-key", flags.coordinator.tls.key, "PEM file of its key")->envname("SLIPWAY_TLS_KEY");
  app.add_option("--tls-client-ca", flags.coordinator.tls.ca,
                 "PEM file: callers must show a certificate signed by one of these; without --tokens its name says who "
                 "they are, slipway://TENANT/ROLE/NAME")
      ->envname("SLIPWAY_TLS_CLIENT_CA");
  app.add_option("--tokens", flags.coordinator.tokens,
                 "File of those who may call (slipway token); every call needs a token then")
      ->envname("SLIPWAY_TOKENS");
  app.add_option("--audit-log", flags.coordinator.audit_log,
                 "File that gets a JSON line for every call: who, what, outcome; opened anew on SIGHUP")
      ->envname("SLIPWAY_AUDIT_LOG");
  app.add_flag("--insecure", flags.coordinator.insecure,
               "Allow plain text, and callers without credentials, on addresses that other machines reach")
      ->envname("SLIPWAY_INSECURE");
  app.add_option(
         "--receive-memory", flags.coordinator.receive_bytes,
         "Bytes that have come and are not taken yet, of all callers together (default: 512MiB); above, calls are "
         "ended. Callers without a token take none of it where tokens are asked for")
      ->envname("SLIPWAY_RECEIVE_MEMORY")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(Within(kLeastReceiveBytes, kMostBytes));
  DefineRedisFlags(app, flags.redis);
  app.add_option("--store", flags.store,
                 "Blobs, shared by all of the farm: a folder, file:///FOLDER or "
                 "s3://BUCKET/PREFIX[?endpoint=URL&region=NAME]")
      ->envname("SLIPWAY_STORE")
      ->required();
  app.add_option("--store-credentials", flags.store_options.credentials,
                 "Of an s3 store: file in AWS' format (default: what the AWS_* variables name, or ~/.aws/credentials)")
      ->envname("SLIPWAY_STORE_CREDENTIALS");
  app.add_option("--garbage-after", flags.garbage_hours,
                 "Hours after which blobs that nobody used and no request names are removed; 0: never")
      ->envname("SLIPWAY_GARBAGE_AFTER")
      ->check(Within(0, 1e6))
      ->capture_default_str();
  app.add_flag("--adopt-store", flags.adopt_store,
               "Make the store this farm's, although it was another's or that of a queue that is lost, or this farm "
               "had another")
      ->envname("SLIPWAY_ADOPT_STORE");
  app.add_flag("--ephemeral-store", flags.store_options.ephemeral, "A folder's blobs need not outlive a power cut")
      ->envname("SLIPWAY_EPHEMERAL_STORE");
  app.add_option("--shard", flags.queue.shard, "The farm's part of Redis")
      ->envname("SLIPWAY_SHARD")
      ->capture_default_str();
  app.add_option("--lease", flags.lease_seconds, "Seconds after which a silent worker's task is given to another")
      ->envname("SLIPWAY_LEASE")
      ->check(Within(0.1, 3600))
      ->capture_default_str();
  app.add_option("--tenant-open-tasks", flags.queue.limits.open_tasks,
                 "Quota of each tenant: tasks that have not ended")
      ->envname("SLIPWAY_TENANT_OPEN_TASKS")
      ->check(Within(0, 1e15));
  app.add_option("--tenant-requests-per-minute", flags.queue.limits.requests_per_minute,
                 "Quota of each tenant: requests a minute")
      ->envname("SLIPWAY_TENANT_REQUESTS_PER_MINUTE")
      ->check(Within(0, 60000));
  app.add_option("--tenant-bytes", flags.queue.limits.bytes,
                 "Quota of each tenant: input bytes of its open requests (512MiB)")
      ->envname("SLIPWAY_TENANT_BYTES")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(Within(0, kMostBytes));
  app.add_option("--tenant-weight", flags.weights,
                 "TENANT=WEIGHT: its share of the farm against the others' 1; repeatable")
      ->envname("SLIPWAY_TENANT_WEIGHT")
      ->delimiter(',');
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
      ->envname("SLIPWAY_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_option("--log-format", flags.log_format, "text or json: a line a record on stderr")
      ->envname("SLIPWAY_LOG_FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--ready-fd", flags.ready_fd,
                 "Descriptor that gets one line, the addresses, once all of them are served")
      ->envname("SLIPWAY_READY_FD");
  app.set_version_flag("--version", "slipway-coordinator " SLIPWAY_VERSION);
  app.footer(kExamples);
}

// After the quotas, which a tenant with a weight of its own has as well.
absl::Status ReadWeights(Flags& flags) {
  for (const std::string& text : flags.weights) {
    const size_t equals = text.find('=');
    TenantLimits limits = flags.queue.limits;
    const char* end = text.data() + text.size();
    if (equals != std::string::npos && equals > 0) {
      const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, limits.weight);
      const bool weight = error == std::errc() && stop == end && limits.weight >= 0.01 && limits.weight <= 100;
      if (weight && IsTenantName(text.substr(0, equals))) {
        flags.queue.tenants[text.substr(0, equals)] = limits;
        continue;
      }
    }
    return WithKind(InvalidArgument("--tenant-weight {}: must be TENANT=WEIGHT, a name of a-z 0-9 _ - and a number "
                                    "from 0.01 to 100, such as research=2.5",
                                    text),
                    ErrorKind::kUsage);
  }
  return absl::OkStatus();
}

// Repeats `attempt` while it is UNAVAILABLE, for a while. CANCELLED if one of `signals` that ends this process came first.
absl::Status Patiently(std::string_view missing, const sigset_t& signals,
                       const std::function<absl::Status()>& attempt) {
  const absl::Time deadline = SteadyNow() + kPatience;
  for (absl::Duration backoff = absl::Milliseconds(20);; backoff = std::min(backoff * 2, absl::Seconds(1))) {
    absl::Status status = attempt();
    if (!absl::IsUnavailable(status) || SteadyNow() + backoff > deadline) return status;
    LogWarning(missing, {{"reason", Message(status)}});
    const timespec pause = absl::ToTimespec(backoff);
    if (const int received = sigtimedwait(&signals, nullptr, &pause); received > 0 && received != SIGHUP)
      return Cancelled("told to end");
  }
}

// UNAVAILABLE while the store's mount is missing: what is stored in an empty mount point nobody finds. A store that is another farm's
// serves, but is not cleaned.
absl::Status CheckStore(const Flags& flags, Queue& queue, Store& store) {
  ASSIGN_OR_RETURN(const NotedStore noted, queue.Noted());
  if (flags.adopt_store) {
    const bool unseen = flags.garbage_hours == 0 && !noted.farm.empty();  // else the collector adopts it
    return unseen ? store.Bind(noted.farm) : absl::OkStatus();
  }
  const absl::Status claim = CheckClaim(store, noted.farm, noted.file_system, flags.store);
  return absl::IsUnavailable(claim) ? claim : absl::OkStatus();
}

void TellReady(int fd, const std::vector<std::string>& addresses) {
  std::string line;
  for (const std::string& address : addresses) line += (line.empty() ? "" : " ") + address;
  line += '\n';
  if (write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    LogWarning("nobody reads the ready descriptor");
  close(fd);
}

absl::Status Run(Flags flags) {
  // Blocked here, so in every thread to come: only the sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  RETURN_IF_ERROR(ReadRedisFlags(flags.redis, flags.queue));
  RETURN_IF_ERROR(ReadWeights(flags));
  flags.queue.lease = absl::Seconds(flags.lease_seconds);
  // Well within the third of a lease after which it would think that nobody has maintained the queue.
  flags.coordinator.maintain_every = std::min(flags.coordinator.maintain_every, flags.queue.lease / 10);
  flags.coordinator.shard = flags.queue.shard;
  RETURN_IF_ERROR(Coordinator::Check(flags.coordinator));
  if (flags.garbage_hours > 0) flags.store_options.garbage_after = absl::Hours(flags.garbage_hours);
  const absl::StatusOr<std::unique_ptr<Store>> opened = OpenStore(flags.store, flags.store_options);
  if (!opened.ok()) return Annotate(opened.status(), "--store");
  Store* const store = opened->get();
  std::unique_ptr<Queue> queue;
  absl::Status there = Patiently("Redis is not there yet", signals, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(queue, ConnectQueue(flags.queue));
    return absl::OkStatus();
  });
  if (there.ok()) {
    there = Patiently("the farm's store is not there yet", signals, [&] { return CheckStore(flags, *queue, *store); });
  }
  if (absl::IsCancelled(there)) return absl::OkStatus();
  RETURN_IF_ERROR(there);
  std::unique_ptr<metrics::Server> metrics_server;
  if (!flags.metrics_listen.empty()) {
    ASSIGN_OR_RETURN(metrics_server, metrics::Server::Start(flags.metrics_listen, SLIPWAY_VERSION));
    metrics_server->OnScrape([&queue = *queue] { ShowQueue(queue); });
    LogInfo("metrics", {{"address", metrics_server->address()}});
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Coordinator> coordinator,
                   Coordinator::Start(flags.coordinator, *queue, *store));
  for (const std::string& address : coordinator->addresses()) LogInfo("serving", {{"address", address}});
  std::optional<GarbageCollector> garbage;
  if (flags.garbage_hours > 0)
    garbage.emplace(GarbageCollectorOptions::After(absl::Hours(flags.garbage_hours), flags.adopt_store), *queue,
                    *store);
  if (flags.ready_fd >= 0) TellReady(flags.ready_fd, coordinator->addresses());

  int received = 0;
  while (sigwait(&signals, &received) == 0 && received == SIGHUP) coordinator->Reload();
  LogInfo("stopping", {{"signal", std::to_string(received)}});
  // A store that does not answer holds its callers' threads for minutes; nothing that they would leave is missed.
  std::thread([] {
    absl::SleepFor(2 * kGrace);
    std::_Exit(0);
  }).detach();
  coordinator->Stop(kGrace);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "The coordinator of a Slipway farm: takes requests, plans their tasks, tells their progress, moves their blobs.",
      "slipway-coordinator");
  DefineFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  InitLogging("coordinator", flags.log_level, flags.log_format);
  const absl::Status status = Run(std::move(flags));
  if (status.ok()) return 0;
  std::fprintf(stderr, "slipway-coordinator: %s\n", Message(status).c_str());
  return KindOf(status) == ErrorKind::kUsage ? kExitUsage : kExitMachine;
}

}  // namespace
}  // namespace slipway

int main(int argc, char** argv) { return slipway::Main(argc, argv); }
