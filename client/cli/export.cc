// slipway export: everything from arguments to manifest.
#include <unistd.h>

#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "client/cli/export_run.h"
#include "client/cli/interrupts.h"
#include "client/cli/outcome.h"
#include "client/cli/plan.h"
#include "client/cli/verb.h"
#include "client/embedded/embedded_farm.h"
#include "client/lib/farm_client.h"
#include "common/base/error.h"
#include "convert/capabilities/capabilities.h"

namespace slipway::cli {
namespace {

constexpr absl::Duration kStartPatience =
    absl::Seconds(30);  // an embedded farm starts in 0.1 s; a busy machine may take longer
constexpr absl::Duration kConnectPatience = absl::Seconds(10);

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
    run_.emplace(plan_, out_, *reporter_);
    ListenForInterrupts();
    for (const std::string& note : plan_.notes) reporter_->Note(note);
    if (status.ok()) status = Follow();
    interrupts_.Stop();
    RunEnd end = Finish(status);
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
    RETURN_IF_ERROR(run_->HashInputs());
    std::string server = settings_.Text("server");
    if (embedded_ != nullptr) {
      ASSIGN_OR_RETURN(server, embedded_->WaitReady(absl::Now() + kStartPatience));
      failure_watch_ = std::thread([this] {
        const absl::Status failure = embedded_->WaitForFailure();
        if (!absl::IsCancelled(failure)) run_->Abort(failure);
      });
    }
    absl::StatusOr<std::unique_ptr<FarmClient>> client = FarmClient::Connect(server, absl::Now() + kConnectPatience);
    if (!client.ok()) return run_->aborted().ok() ? client.status() : run_->aborted();
    client_ = *std::move(client);
    return run_->Follow(*client_);
  }

  void StopFarm() {
    if (embedded_ != nullptr) embedded_->Stop();
    if (failure_watch_.joinable()) failure_watch_.join();
  }

  // Publishes what the cells came to, unless the farm or this machine failed.
  RunEnd Finish(const absl::Status& status) {
    RunEnd end;
    if (!status.ok() && !run_->cancelled()) {
      end.error = Message(status);
      end.exit_code = KindOf(status) == ErrorKind::kUsage ? kExitUsage : kExitMachine;
      return end;
    }
    if (const std::string failure = MachineFailure(plan_, *run_); !failure.empty() && !run_->cancelled()) {
      end.error = failure;
      end.exit_code = kExitMachine;
      return end;
    }
    Outcome outcome = MakeOutcome(plan_, *run_, absl::Now());
    const absl::Status published = Publish(outcome);
    if (!published.ok()) {
      end.error = Message(published);
      end.exit_code = kExitMachine;
      return end;
    }
    end.exit_code = outcome.exit_code;
    end.cells = std::move(outcome.lines);
    end.manifest = out_.manifest_path().string();
    return end;
  }

  absl::Status Publish(const Outcome& outcome) {
    ASSIGN_OR_RETURN(const std::string earlier, out_.EarlierManifest());
    absl::StatusOr<std::string> text = outcome.manifest.ToJson(earlier);
    if (absl::IsInvalidArgument(text.status())) {
      reporter_->Note("slipway: " + out_.manifest_path().string() + " is replaced: " + Message(text.status()));
      text = outcome.manifest.ToJson("");
    }
    RETURN_IF_ERROR(text.status());
    return out_.Publish(outcome.cells, *text);
  }

  const Settings& settings_;
  ExportPlan plan_;
  OutputFolder out_;
  std::unique_ptr<EmbeddedFarm> embedded_;
  std::unique_ptr<Reporter> reporter_;
  absl::Time start_;
  std::optional<ExportRun> run_;
  std::unique_ptr<FarmClient> client_;
  std::thread failure_watch_;
  Interrupts interrupts_;
};

}  // namespace

int RunExport(const Settings& settings, const Arguments& models) {
  absl::StatusOr<ExportPlan> plan = MakePlan(settings, models);
  if (!plan.ok()) return Fail(plan.status());
  absl::StatusOr<OutputFolder> out = OutputFolder::Open(plan->out);
  if (!out.ok()) return Fail(WithKind(out.status(), ErrorKind::kMachine));
  return Export(settings, *std::move(plan), *std::move(out)).Run();
}

}  // namespace slipway::cli
