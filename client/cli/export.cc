// slipway export: everything from arguments to manifest.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "client/cli/conclude.h"
#include "client/cli/connect.h"
#include "client/cli/detach.h"
#include "client/cli/export_run.h"
#include "client/cli/outcome.h"
#include "client/cli/plan.h"
#include "client/cli/verb.h"
#include "client/embedded/embedded_farm.h"
#include "client/lib/farm_client.h"
#include "client/lib/interrupts.h"
#include "common/base/error.h"
#include "common/base/installation.h"
#include "convert/capabilities/capabilities.h"

namespace slipway::cli {
namespace {

constexpr absl::Duration kStartPatience =
    absl::Seconds(30);  // an embedded farm starts in 0.1 s; a busy machine may take longer

// The judges that the plan's cells need. The calculator makes every reference.
std::vector<std::string> JudgesOf(const ExportPlan& plan) {
  if (!plan.verify) return {};
  std::set<std::string> judges = {"onnxruntime"};
  for (const auto& [target, precision] : plan.pairs) {
    const TargetInfo* info = FindTarget(target);
    if (info != nullptr && (info->judge == "litert" || info->judge == "ncnn")) judges.emplace(info->judge);
  }
  return {judges.begin(), judges.end()};
}

absl::StatusOr<std::unique_ptr<EmbeddedFarm>> StartFarm(const Settings& settings, const ExportPlan& plan,
                                                        const std::filesystem::path& staging) {
  EmbeddedFarmOptions options;
  ASSIGN_OR_RETURN(options.redis_server, FindRedisServer());
  options.binaries = OwnFolder();
  options.python = settings.Text("python", DefaultPython());
  const int64_t cpus = std::max<int64_t>(1, std::thread::hardware_concurrency());
  const auto cells = static_cast<int64_t>(plan.models.size() * plan.pairs.size());
  options.slots = static_cast<int>(settings.Integer("jobs", std::min(cpus, cells)));
  options.prewarm = JudgesOf(plan);
  options.staging = staging;
  if (!settings.Switch("no-cache")) {
    ASSIGN_OR_RETURN(options.cache, MakeCacheFolder(settings.Text("cache-dir")));
  }
  return EmbeddedFarm::Start(options);
}

// A run from its lock to its manifest; owns everything that must end with it, in this order.
class Export {
 public:
  Export(const Settings& settings, ExportPlan plan, OutputFolder out)
      : settings_(settings), plan_(std::move(plan)), out_(std::move(out)), reporter_(), start_(absl::Now()) {}

  int Run() {
    // The embedded farm is forked before anything here has a thread.
    absl::Status status;
    if (!settings_.Has("server")) {
      absl::StatusOr<std::unique_ptr<EmbeddedFarm>> farm = StartFarm(settings_, plan_, out_.staging());
      status = farm.status();
      if (farm.ok()) embedded_ = *std::move(farm);
    }
    reporter_ = MakeReporter(stdout, settings_.Switch("json"));
    run_.emplace(plan_, *reporter_, embedded_ != nullptr);
    ListenForInterrupts();
    for (const std::string& note : plan_.notes) reporter_->Note(note);
    if (status.ok()) status = Follow();
    interrupts_.Stop();
    RunEnd end = Conclude(status, plan_, *run_, out_, *reporter_);
    if ((run_->detached() && end.manifest.empty()) || (run_->goes_on() && settings_.Has("server"))) {
      reporter_->Note(fmt::format("slipway: the farm works on: `slipway fetch {} --wait` brings what it makes",
                                  run_->request_id()));
    } else if (status.ok() && end.exit_code == kExitMachine && settings_.Has("server")) {
      reporter_->Note("slipway: the farm keeps what has passed: the same command makes the rest");
    }
    // Everything is down before the last line says that it is over.
    client_.reset();
    StopFarm();
    end.seconds = absl::ToDoubleSeconds(absl::Now() - start_);
    reporter_->Finished(end);
    return end.exit_code;
  }

 private:
  void ListenForInterrupts() {
    const std::optional<absl::Duration> timeout = settings_.Duration("timeout");
    interrupts_.Start(
        [this] {
          if (settings_.Text("on-interrupt") == "detach") return run_->Detach();
          reporter_->Note("slipway: cancelling (once more leaves at once)");
          run_->Cancel("cancelled by the user");
        },
        [this] {
          // Leaving without unwinding: what must not stay behind goes here.
          if (embedded_ != nullptr) embedded_->Stop();
          out_.DropStaging();
          _exit(kExitCancelled);
        },
        [this, timeout] { run_->Cancel("not finished within --timeout " + absl::FormatDuration(*timeout)); },
        timeout ? start_ + *timeout : absl::InfiniteFuture());
  }

  absl::Status Follow() {
    FarmClientOptions options;
    if (embedded_ != nullptr) {
      ASSIGN_OR_RETURN(shared_store_, SharedStore::Open(embedded_->store(), kSoleTenant));
      options.shared_store = shared_store_.get();
    }
    RETURN_IF_ERROR(run_->HashInputs(shared_store_.get()));
    std::string server;
    if (embedded_ != nullptr) {
      ASSIGN_OR_RETURN(server, embedded_->WaitReady(absl::Now() + kStartPatience));
      failure_watch_ = std::thread([this] {
        const absl::Status failure = embedded_->WaitForFailure();
        if (!absl::IsCancelled(failure)) run_->Abort(failure);
      });
    }
    absl::StatusOr<std::unique_ptr<FarmClient>> client =
        embedded_ == nullptr ? ConnectToServer(settings_, [this](const std::string& line) { reporter_->Note(line); })
                             : FarmClient::Connect(server, absl::Now() + kStartPatience, options);
    if (!client.ok()) return run_->aborted().ok() ? client.status() : run_->aborted();
    client_ = *std::move(client);
    return run_->Follow(*client_, out_);
  }

  void StopFarm() {
    if (embedded_ != nullptr) embedded_->Stop();
    if (failure_watch_.joinable()) failure_watch_.join();
  }

  const Settings& settings_;
  ExportPlan plan_;
  OutputFolder out_;
  std::unique_ptr<EmbeddedFarm> embedded_;
  std::unique_ptr<Reporter> reporter_;
  absl::Time start_;
  std::optional<ExportRun> run_;
  std::unique_ptr<SharedStore> shared_store_;
  std::unique_ptr<FarmClient> client_;
  std::thread failure_watch_;
  Interrupts interrupts_;
};

// What only a farm that outlives the command can do.
absl::Status CheckDetaching(const Settings& settings) {
  const auto usage = [](const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); };
  const std::string choice = settings.Text("on-interrupt", "cancel");
  if (choice != "cancel" && choice != "detach")
    return usage(InvalidArgument("--on-interrupt: '{}' is neither cancel nor detach", choice));
  if (settings.Has("server")) return absl::OkStatus();
  const std::string_view flag = settings.Switch("detach") ? "--detach" : "--on-interrupt detach";
  if (!settings.Switch("detach") && choice == "cancel") return absl::OkStatus();
  return usage(InvalidArgument("{} needs a farm that stays: name it with --server HOST:PORT", flag));
}

}  // namespace

int RunExport(const Settings& settings, const Arguments& models) {
  absl::StatusOr<ExportPlan> plan = MakePlan(settings, models);
  if (!plan.ok()) return Fail(plan.status());
  if (const absl::Status status = CheckDetaching(settings); !status.ok()) return Fail(status);
  if (settings.Switch("detach")) return ExportDetached(settings, *std::move(plan));
  absl::StatusOr<OutputFolder> out = OutputFolder::Open(plan->out);
  if (!out.ok()) return Fail(WithKind(out.status(), ErrorKind::kMachine));
  return Export(settings, *std::move(plan), *std::move(out)).Run();
}

}  // namespace slipway::cli
