#include "client/cli/outcome.h"

#include <algorithm>
#include <set>

#include "client/report/figures.h"
#include "convert/capabilities/capabilities.h"

namespace slipway::cli {
namespace {

CellFate FateOf(const std::string& state) {
  if (state == "passed" || state == "unverified") return CellFate::kKept;
  if (state == "parity_failed") return CellFate::kRejected;
  return state == "cancelled" ? CellFate::kUntouched : CellFate::kGone;
}

// A cell as the run left it; one that it never heard of was cancelled.
CellOutcome Find(const ExportRun& run, const std::string& model, const std::string& target,
                 const std::string& precision) {
  CellOutcome outcome;
  if (const auto it = run.outcomes().find({model, target, precision}); it != run.outcomes().end()) outcome = it->second;
  if (!outcome.line.ended) {
    outcome.line.model = model;
    outcome.line.target = target;
    outcome.line.precision = precision;
    outcome.line.state = "cancelled";
    outcome.line.ended = true;
  }
  if (outcome.line.state == "cancelled" && !run.cancel_reason().empty()) outcome.line.reason = run.cancel_reason();
  if (outcome.line.state != "passed" && outcome.line.reason.empty()) outcome.line.reason = "no reason was given";
  return outcome;
}

ManifestArtifact ToArtifact(const ExportPlan& plan, const ModelArgument& model,
                            const std::pair<std::string, std::string>& pair, const CellOutcome& outcome) {
  const auto& [target, precision] = pair;
  ManifestArtifact artifact;
  artifact.target = target;
  artifact.precision = precision;
  if (const TargetInfo* info = FindTarget(target)) artifact.backend = info->backend;
  artifact.status = outcome.line.state;
  artifact.reason = outcome.line.reason;
  artifact.attempts = outcome.cell.attempts();
  artifact.worker = outcome.cell.worker();
  artifact.reproduce = Reproduce(plan, model, pair);
  if (!outcome.result) return artifact;
  artifact.entry = outcome.result->entry;
  const CellFate fate = FateOf(artifact.status);
  if (fate != CellFate::kKept && fate != CellFate::kRejected) return artifact;
  artifact.folder =
      model.name + "/" + OutputFolder::CellName(target, precision) + (fate == CellFate::kRejected ? ".rejected" : "");
  for (const ResultFile& file : outcome.result->files) artifact.files.push_back({file.path, file.digest});
  return artifact;
}

}  // namespace

Outcome MakeOutcome(const ExportPlan& plan, const ExportRun& run, absl::Time now) {
  Outcome outcome;
  outcome.manifest.version = SLIPWAY_VERSION;
  outcome.manifest.request_id = run.request_id();
  outcome.manifest.created = now;
  outcome.manifest.reproduce = Reproduce(plan);
  std::vector<std::string> states;
  for (const ModelArgument& model : plan.models) {
    ManifestModel entry;
    entry.name = model.name;
    entry.kind = model.kind;
    entry.architecture = model.architecture;
    for (const ModelFile& file : model.files) entry.sources.push_back({file.path, file.digest});
    if (const auto it = run.outcomes().find({model.name, "", ""}); it != run.outcomes().end() && it->second.result) {
      entry.entry = it->second.result->entry;
    }
    for (const auto& pair : plan.pairs) {
      const CellOutcome cell = Find(run, model.name, pair.first, pair.second);
      entry.artifacts.push_back(ToArtifact(plan, model, pair, cell));
      outcome.cells.push_back({model.name, OutputFolder::CellName(pair.first, pair.second), FateOf(cell.line.state)});
      outcome.lines.push_back(cell.line);
      states.push_back(cell.line.state);
    }
    outcome.manifest.models.push_back(std::move(entry));
  }
  outcome.exit_code = run.cancelled() ? static_cast<int>(kExitCancelled) : ExitCodeFor(states, plan.verify);
  return outcome;
}

std::string MachineFailure(const std::vector<v1::Cell>& cells) {
  // A task that the model failed has a result blob that says so; one that was tried in vain has the queue's word alone,
  // and so have the cells of a failed preparation.
  const auto failed = [](const v1::Cell& cell) { return cell.state() == v1::CELL_STATE_FAILED; };
  std::set<std::string> refused;  // models
  for (const v1::Cell& cell : cells) {
    if (cell.target().empty() && failed(cell) && cell.has_result()) refused.insert(cell.model());
  }
  for (const v1::Cell& cell : cells) {
    if (failed(cell) && !cell.has_result() && !refused.contains(cell.model())) return ToLine(cell).reason;
  }
  return "";
}

int ExitCodeFor(const std::vector<std::string>& states, bool verify) {
  const auto count = [&](std::string_view state) { return std::count(states.begin(), states.end(), state); };
  // Without verification an unverified artifact is all that was asked for.
  const auto good = count("passed") + (verify ? 0 : count("unverified"));
  if (count("cancelled") > 0) return kExitCancelled;
  if (count("failed") > 0) return good > 0 ? kExitSomePassed : kExitNothingPassed;
  return good == static_cast<long>(states.size()) ? kExitOk : kExitUnproved;
}

}  // namespace slipway::cli
