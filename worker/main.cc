// slipway-worker: flags, the zygote, then the daemon.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "common/base/error.h"
#include "common/base/installation.h"
#include "common/base/log.h"
#include "common/base/number_flag.h"
#include "common/metrics/metrics.h"
#include "common/queue/redis_flags.h"
#include "worker/daemon/child.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/machine.h"

namespace slipway {
namespace {

constexpr int kUsageExit = 2, kMachineExit = 5;

constexpr const char* kExamples = R"(Examples:
  slipway-worker --redis 127.0.0.1:6379 --store /srv/slipway/store
  slipway-worker --redis 127.0.0.1:6379 --store /srv/slipway/store --slots 1 --task-memory 32G   # for the largest models
  slipway-worker --redis redis:6379 --store 's3://blobs/farm?endpoint=https://minio:9000' --store-cache /var/cache/slipway
  slipway-worker --redis unix:/run/slipway/redis.sock --redis-password-file /etc/slipway/redis --store /srv/slipway/store \
      --slots 8 --prewarm onnxruntime,litert,ncnn --task-memory 6G
  slipway-worker --redis rediss://redis.example.com:6380 --redis-tls-ca /etc/slipway/ca.pem --redis-user slipway \
      --redis-password-file /etc/slipway/redis --store /srv/slipway/store

Every flag has an environment variable: SLIPWAY_ and its name in capitals, - as _ (SLIPWAY_DRAIN_TIMEOUT=30).
SIGTERM: take no more tasks, finish those running (at most --drain-timeout), give the rest back. A second one: at once.
Exit: 0 ended as told, 2 usage, 5 the machine, the store or Redis made work impossible.)";

struct Flags {
  RedisFlags redis;
  std::string store, shard = "0", scratch, python, log_level = "info", log_format = "text";
  OpenStoreOptions store_options;
  bool allow_unsandboxed = false, no_cache = false;
  std::optional<int> slots;
  std::vector<std::string> prewarm;
  double task_timeout = 600, judge_timeout = 120, drain_timeout = 10, lease = 15, garbage_hours = 24;
  std::optional<uint64_t> task_memory;
  bool take_all = false;
  int ready_fd = -1, parent_fd = -1;
  std::string metrics_listen;
};

void AddFlags(CLI::App& app, Flags& flags) {
  const auto named = [](CLI::Option* option, const char* variable) { return option->envname(variable); };
  DefineRedisFlags(app, flags.redis);
  named(app.add_option("--store", flags.store,
                       "blob store, shared with the coordinators: a folder, file:///FOLDER or "
                       "s3://BUCKET/PREFIX[?endpoint=URL&region=NAME]"),
        "SLIPWAY_STORE")
      ->required();
  named(app.add_option(
            "--store-credentials", flags.store_options.credentials,
            "of an s3 store: file in AWS' format (default: what the AWS_* variables name, or ~/.aws/credentials)"),
        "SLIPWAY_STORE_CREDENTIALS");
  named(app.add_option("--store-cache", flags.store_options.cache,
                       "of an s3 store: folder for copies of its blobs (default: one in the scratch folder)"),
        "SLIPWAY_STORE_CACHE");
  named(app.add_option("--store-cache-bytes", flags.store_options.cache_bytes,
                       "at most so many in it, e.g. 50G; several workers may share a folder")
            ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
            ->check(Within(0, kMostBytes)),
        "SLIPWAY_STORE_CACHE_BYTES");
  named(app.add_option("--garbage-after", flags.garbage_hours,
                       "of an s3 store: the coordinators' hours; blobs in use are kept younger than that")
            ->check(Within(0, 1e6))
            ->capture_default_str(),
        "SLIPWAY_GARBAGE_AFTER");
  named(app.add_flag("--ephemeral-store", flags.store_options.ephemeral,
                     "the store's folder need not outlive a power cut: no fsync"),
        "SLIPWAY_EPHEMERAL_STORE");
  named(app.add_option("--shard", flags.shard, "which farm of keys within Redis")->capture_default_str(),
        "SLIPWAY_SHARD");
  const Sizing here = SizingOf(ThisMachine(), std::nullopt, std::nullopt);
  named(app.add_option(
               "--slots", flags.slots,
               fmt::format("tasks at a time (default: one a CPU, but not more than 3/4 of the memory are enough for; "
                           "here {}: {})",
                           here.slots, here.why))
            ->check(Within(1, 1024)),
        "SLIPWAY_SLOTS");
  named(app.add_option("--scratch", flags.scratch, "folder for temporary files (default: $TMPDIR, else /tmp)"),
        "SLIPWAY_SCRATCH");
  named(app.add_option("--python", flags.python,
                       "interpreter that has the runtimes (default: that of slipway-runtimes, else python3)"),
        "SLIPWAY_PYTHON");
  named(app.add_option("--prewarm", flags.prewarm, "judges to start at once: onnxruntime,litert,ncnn")
            ->delimiter(',')
            ->check(CLI::IsMember({"onnxruntime", "litert", "ncnn"})),
        "SLIPWAY_PREWARM");
  named(app.add_option("--task-timeout", flags.task_timeout, "seconds a task may take")
            ->check(Within(0.001, kMostSeconds))
            ->capture_default_str(),
        "SLIPWAY_TASK_TIMEOUT");
  named(app.add_option("--judge-timeout", flags.judge_timeout, "seconds a judge may take to load or to run an artifact")
            ->check(Within(0.001, kMostSeconds))
            ->capture_default_str(),
        "SLIPWAY_JUDGE_TIMEOUT");
  named(app.add_option("--task-memory", flags.task_memory,
                       fmt::format("memory that a converter or judge may take: 4G (default: 3/4 of the machine's, "
                                   "shared out among the slots, at least 2G; here {})",
                                   Gibibytes(here.task_memory)))
            ->transform(CLI::AsSizeValue(false))
            ->check(Within(64 << 20, kMostBytes)),
        "SLIPWAY_TASK_MEMORY");
  named(app.add_option("--drain-timeout", flags.drain_timeout, "seconds that running tasks get after SIGTERM")
            ->check(Within(0, kMostSeconds))
            ->capture_default_str(),
        "SLIPWAY_DRAIN_TIMEOUT");
  named(app.add_option("--lease", flags.lease,
                       "seconds until a silent worker's tasks go to another; the same on all of a farm")
            ->check(Within(0.1, 3600))
            ->capture_default_str(),
        "SLIPWAY_LEASE");
  named(app.add_option("--metrics-listen", flags.metrics_listen,
                       "IP address and port of the metrics for Prometheus, http://…/metrics (default: none)"),
        "SLIPWAY_METRICS_LISTEN");
  named(app.add_flag("--no-cache", flags.no_cache, "run every task: use no result that is kept, and keep none"),
        "SLIPWAY_NO_CACHE");
  named(app.add_flag("--take-all", flags.take_all,
                     "take tasks of every class, also those whose judge or memory is missing here: they end unverified "
                     "(for the only worker of a farm)"),
        "SLIPWAY_TAKE_ALL");
  named(app.add_flag("--allow-unsandboxed", flags.allow_unsandboxed, "work even where the kernel has no jail"),
        "SLIPWAY_ALLOW_UNSANDBOXED");
  named(app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
            ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
            ->capture_default_str(),
        "SLIPWAY_LOG_LEVEL");
  named(app.add_option("--log-format", flags.log_format, "text or json: a line a record on stderr")
            ->check(CLI::IsMember({"text", "json"}))
            ->capture_default_str(),
        "SLIPWAY_LOG_FORMAT");
  app.add_option("--ready-fd", flags.ready_fd, "descriptor that gets one line once the worker is registered");
  app.add_option("--parent-fd", flags.parent_fd, "end at once when this descriptor reaches its end");
  app.set_version_flag("--version", std::string("slipway-worker ") + SLIPWAY_VERSION);
  app.footer(kExamples);
}

absl::StatusOr<WorkerOptions> OptionsOf(const Flags& flags) {
  WorkerOptions options;
  RETURN_IF_ERROR(ReadRedisFlags(flags.redis, options.queue));
  options.queue.shard = flags.shard;
  options.queue.lease = absl::Seconds(flags.lease);
  options.store = flags.store;
  options.store_options = flags.store_options;
  if (flags.garbage_hours > 0) options.store_options.garbage_after = absl::Hours(flags.garbage_hours);
  const Sizing sizing = SizingOf(ThisMachine(), flags.slots, flags.task_memory);
  options.slots = sizing.slots;
  options.task_memory = sizing.task_memory;
  options.take_all = flags.take_all;
  LogInfo(
      "sized",
      {{"slots", std::to_string(sizing.slots)}, {"task_memory", Gibibytes(sizing.task_memory)}, {"why", sizing.why}});
  std::error_code error;
  options.scratch =
      flags.scratch.empty() ? std::filesystem::temp_directory_path(error) : std::filesystem::absolute(flags.scratch);
  if (error) options.scratch = "/tmp";
  options.python = flags.python.empty() ? DefaultPython() : flags.python;
  options.prewarm = flags.prewarm;
  options.task_timeout = absl::Seconds(flags.task_timeout);
  options.judge_timeout = absl::Seconds(flags.judge_timeout);
  options.drain_timeout = absl::Seconds(flags.drain_timeout);
  options.allow_unsandboxed = flags.allow_unsandboxed;
  options.cache = !flags.no_cache;
  options.parent_fd = flags.parent_fd;
  if (flags.ready_fd >= 0) {
    options.on_ready = [fd = flags.ready_fd](const std::string& worker) {
      dprintf(fd, "ready %s\n", worker.c_str());
      close(fd);
    };
  }
  return options;
}

int BlockedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Runs Slipway's tasks: leases them from Redis, converts models in jailed child processes, stores the results.",
      "slipway-worker");
  Flags flags;
  AddFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageExit;
  }
  // First of all: nothing is open yet and no thread exists.
  absl::StatusOr<ZygoteProcess> zygote = ForkZygote(&RunChild);
  InitLogging("slipway-worker", flags.log_level, flags.log_format);
  absl::StatusOr<WorkerOptions> options = OptionsOf(flags);
  absl::Status status = !zygote.ok() ? zygote.status() : options.status();
  std::unique_ptr<metrics::Server> metrics_server;
  if (status.ok()) {
    options->signal_fd = BlockedSignals();
    if (!flags.metrics_listen.empty()) {
      auto server = metrics::Server::Start(flags.metrics_listen, SLIPWAY_VERSION);
      status = server.status();
      if (server.ok()) metrics_server = *std::move(server);
    }
  }
  if (status.ok()) {
    if (metrics_server != nullptr) LogInfo("metrics", {{"address", metrics_server->address()}});
    status = RunWorker(*options, *std::move(zygote));
  }
  if (status.ok()) return 0;
  LogError("the worker cannot go on", {{"reason", Message(status)}});
  return KindOf(status) == ErrorKind::kUsage ? kUsageExit : kMachineExit;
}

}  // namespace
}  // namespace slipway

int main(int argc, char** argv) {
  const int code = slipway::Main(argc, argv);
  fflush(nullptr);
  _exit(code);  // threads may still wait for Redis
}
