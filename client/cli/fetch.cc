// slipway fetch REQUEST: the artifacts of a request that somebody submitted, as `export` would have written them.
#include <unistd.h>

#include "absl/time/clock.h"
#include "client/cli/conclude.h"
#include "client/cli/connect.h"
#include "client/cli/export_run.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/stored_plan.h"
#include "client/cli/verb.h"
#include "client/lib/interrupts.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

absl::StatusOr<ExportPlan> ReadPlan(FarmClient& farm, const std::string& request, const Settings& settings) {
  ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(request));
  if (const uint32_t open = status.request.open(); open > 0 && !settings.Switch("wait")) {
    return Unavailable("request {} has not ended: {} of its {} tasks are open; --wait waits for them", request, open,
                       status.request.cells());
  }
  ASSIGN_OR_RETURN(const RequestSpec spec, ReadSpec(farm, status));
  ASSIGN_OR_RETURN(ExportPlan plan, PlanOf(spec));
  plan.out = settings.Text("out", "exports");
  return plan;
}

}  // namespace

int RunFetch(const Settings& settings, const Arguments& request) {
  const absl::Time start = absl::Now();
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  absl::StatusOr<ExportPlan> plan = ReadPlan(**farm, request[0], settings);
  if (!plan.ok()) return Fail(OfRequest(plan.status()));
  absl::StatusOr<OutputFolder> out = OutputFolder::Open(plan->out);
  if (!out.ok()) return Fail(WithKind(out.status(), ErrorKind::kMachine));

  const std::unique_ptr<Reporter> reporter = MakeReporter(stdout, settings.Switch("json"));
  ExportRun run(*plan, *reporter);
  Interrupts interrupts;
  interrupts.Start([&] { run.Abort(Cancelled("interrupted: the request is the farm's, and goes on")); },
                   [&] {
                     out->DropStaging();
                     _exit(kExitCancelled);
                   },
                   [] {}, absl::InfiniteFuture());
  const absl::Status status = run.Fetch(**farm, request[0], *out);
  interrupts.Stop();
  RunEnd end = Conclude(OfRequest(status), *plan, run, *out, *reporter);
  end.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  reporter->Finished(end);
  return end.exit_code;
}

}  // namespace slipway::cli
