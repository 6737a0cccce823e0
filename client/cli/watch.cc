// slipway watch REQUEST: follows a request that somebody submitted.
#include <algorithm>
#include <map>
#include <stop_token>

#include "absl/time/clock.h"
#include "client/cli/connect.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/stored_plan.h"
#include "client/cli/verb.h"
#include "client/cli/waiting.h"
#include "client/lib/interrupts.h"
#include "client/report/figures.h"
#include "client/report/reporter.h"
#include "common/base/error.h"

namespace slipway::cli {

namespace {

absl::StatusOr<RequestSpec> SpecOf(FarmClient& farm, const std::string& request) {
  ASSIGN_OR_RETURN(const RequestStatus status, farm.Get(request));
  return ReadSpec(farm, status);
}

// Those that are made for the user, without their preparations.
size_t CellsOf(const RequestSpec& spec) {
  return std::ranges::count(spec.tasks, SpecTask::Kind::kCell, &SpecTask::kind);
}

}  // namespace

int RunWatch(const Settings& settings, const Arguments& request) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  // Without verification an unverified cell is all that was asked for.
  const absl::StatusOr<RequestSpec> spec = SpecOf(**farm, request[0]);
  if (!spec.ok()) return Fail(OfRequest(spec.status()));
  const std::unique_ptr<Reporter> reporter = MakeReporter(stdout, settings.Switch("json"));
  const absl::Time start = absl::Now();
  std::stop_source stop;
  Interrupts interrupts;
  const std::optional<absl::Duration> timeout = settings.Duration("timeout");
  const auto leave = [&] { stop.request_stop(); };
  interrupts.Start(leave, leave, leave, timeout ? start + *timeout : absl::InfiniteFuture());

  std::map<uint32_t, v1::Cell> cells;
  bool started = false;
  std::optional<WaitingNotice> notice(std::in_place, **farm, *reporter);
  const absl::Status status =
      (*farm)->Watch(request[0], {.stop = stop.get_token()}, [&](const v1::WatchResponse& change) {
        if (!std::exchange(started, true)) reporter->Started(request[0], CellsOf(*spec));
        for (const v1::Cell& cell : change.cells()) {
          cells[cell.index()] = cell;
          notice->Saw(cell);
          reporter->Changed(ToLine(cell));
        }
      });
  if (absl::IsCancelled(status)) (*farm)->Shutdown();  // the notice may be asking a farm that does not answer
  notice.reset();
  interrupts.Stop();
  RunEnd end;
  end.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  std::vector<std::string> states;
  std::vector<v1::Cell> ended;
  for (auto& [index, cell] : cells) {
    if (!cell.target().empty()) {
      end.cells.push_back(ToLine(cell));
      states.push_back(end.cells.back().state);
    }
    ended.push_back(std::move(cell));
  }
  if (status.ok()) {
    end.error = MachineFailure(ended);
    end.exit_code = end.error.empty() ? ExitCodeFor(states, spec->options.verify) : kExitMachine;
  } else if (absl::IsCancelled(status)) {
    end.exit_code = kExitCancelled;
    reporter->Note(
        fmt::format("slipway: watched no longer; the farm works on: `slipway watch {}` goes on, `slipway "
                    "cancel {}` ends it",
                    request[0], request[0]));
  } else {
    end.error = Message(status);
    end.exit_code = absl::IsNotFound(status) ? kExitUsage : kExitMachine;
  }
  reporter->Finished(end);
  return end.exit_code;
}

}  // namespace slipway::cli
