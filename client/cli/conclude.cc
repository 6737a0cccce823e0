#include "client/cli/conclude.h"

#include "absl/time/clock.h"
#include "client/cli/outcome.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

int ExitCodeOf(const absl::Status& error) {
  const ErrorKind kind = KindOf(error);
  if (kind == ErrorKind::kCancelled) return kExitCancelled;
  return kind == ErrorKind::kUsage ? kExitUsage : kExitMachine;
}

absl::Status Publish(const Outcome& outcome, OutputFolder& out, Reporter& reporter) {
  ASSIGN_OR_RETURN(const std::string earlier, out.EarlierManifest());
  absl::StatusOr<std::string> text = outcome.manifest.ToJson(earlier);
  if (absl::IsInvalidArgument(text.status())) {
    reporter.Note("slipway: " + out.manifest_path().string() + " is replaced: " + Message(text.status()));
    text = outcome.manifest.ToJson("");
  }
  RETURN_IF_ERROR(text.status());
  return out.Publish(outcome.cells, *text);
}

}  // namespace

RunEnd Conclude(const absl::Status& followed, const ExportPlan& plan, const ExportRun& run, OutputFolder& out,
                Reporter& reporter) {
  RunEnd end;
  if (run.detached() && absl::IsCancelled(followed)) {
    end.exit_code = kExitCancelled;
    return end;
  }
  if (!followed.ok() && !run.cancelled()) {
    end.error = Message(followed);
    end.exit_code = ExitCodeOf(followed);
    return end;
  }
  std::vector<v1::Cell> cells;
  for (const auto& [key, outcome] : run.outcomes()) cells.push_back(outcome.cell);
  if (const std::string failure = MachineFailure(cells); !failure.empty() && !run.cancelled()) {
    end.error = failure;
    end.exit_code = kExitMachine;
    return end;
  }
  Outcome outcome = MakeOutcome(plan, run, absl::Now());
  const absl::Status published = Publish(outcome, out, reporter);
  if (!published.ok()) {
    end.error = Message(published);
    end.exit_code = kExitMachine;
    return end;
  }
  end.exit_code = outcome.exit_code;
  end.cells = std::move(outcome.lines);
  end.manifest = out.manifest_path().string();
  return end;
}

}  // namespace slipway::cli
