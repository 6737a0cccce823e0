// What a run's cells come to: the manifest, the folders' fates, the exit code.
#pragma once

#include <string>
#include <vector>

#include "client/cli/export_run.h"
#include "client/cli/plan.h"
#include "client/report/output_folder.h"
#include "client/report/reporter.h"
#include "common/manifest/manifest.h"

namespace slipway::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitNothingPassed = 1,
  kExitUsage = 2,
  kExitUnproved = 3,
  kExitSomePassed = 4,
  kExitMachine = 5,
  kExitCancelled = 130,
};

struct Outcome {
  Manifest manifest;
  std::vector<PublishedCell> cells;
  std::vector<CellLine> lines;  // in the manifest's order
  int exit_code = kExitOk;
};

// Every planned cell has its place, also those of a run that was stopped before they were known.
Outcome MakeOutcome(const ExportPlan& plan, const ExportRun& run, absl::Time now);

// Why a cell failed by the farm's or the machine's fault (no space in its scratch folder, workers that die again and
// again), if one did; else "".
std::string MachineFailure(const std::vector<v1::Cell>& cells);

// The exit code for cells in these states (manifest's names): docs/cli.md, "Exit codes".
int ExitCodeFor(const std::vector<std::string>& states, bool verify);

}  // namespace slipway::cli
