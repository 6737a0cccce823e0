// The end of a run: from its cells to files, manifest and exit code.
#pragma once

#include "absl/status/status.h"
#include "client/cli/export_run.h"
#include "client/cli/plan.h"
#include "client/report/output_folder.h"
#include "client/report/reporter.h"

namespace slipway::cli {

// `followed`: what Follow or Fetch returned. Publishes what the cells came to in `out`, unless the farm or this machine
// failed or the request was left to the farm: then `out` stays as it was.
RunEnd Conclude(const absl::Status& followed, const ExportPlan& plan, const ExportRun& run, OutputFolder& out,
                Reporter& reporter);

}  // namespace slipway::cli
