#include "client/cli/detach.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/cli/connect.h"
#include "client/cli/export_run.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "client/lib/interrupts.h"
#include "common/base/error.h"

namespace slipway::cli {

int ExportDetached(const Settings& settings, ExportPlan plan) {
  const std::unique_ptr<Reporter> reporter = MakeReporter(stdout, /*json=*/true);
  for (const std::string& note : plan.notes) reporter->Note(note);
  ExportRun run(plan, *reporter);
  std::unique_ptr<FarmClient> farm;  // outlives the interrupts that use it
  Interrupts interrupts;
  interrupts.Start([&] { run.Cancel("cancelled by the user"); }, [] { _exit(kExitCancelled); }, [] {},
                   absl::InfiniteFuture());
  const auto submit = [&] {
    RETURN_IF_ERROR(run.HashInputs());
    ASSIGN_OR_RETURN(farm, ConnectToServer(settings));
    return run.Submit(*farm);
  };
  const absl::Status status = submit();
  interrupts.Stop();
  if (run.cancelled()) return kExitCancelled;
  if (!status.ok()) return Fail(status);
  const std::string& id = run.request_id();
  if (settings.Switch("json")) {
    Print(nlohmann::ordered_json{
        {"event", "detached"}, {"request_id", id}, {"cells", plan.models.size() * plan.pairs.size()}});
  } else {
    Print(std::vector<std::vector<std::string>>{{id}});
  }
  reporter->Note(fmt::format("slipway: `slipway fetch {} --wait` brings what it makes", id));
  return kExitOk;
}

}  // namespace slipway::cli
