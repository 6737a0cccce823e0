// slipway top: what a farm does, again and again.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "absl/time/clock.h"
#include "client/cli/connect.h"
#include "client/cli/fleet.h"
#include "client/cli/outcome.h"
#include "client/cli/requests.h"
#include "client/cli/verb.h"
#include "client/lib/interrupts.h"
#include "client/report/text.h"
#include "common/base/error.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kRequests = 20;
constexpr absl::Duration kEvery = absl::Seconds(2);

// The farm at one moment.
struct Look {
  absl::Time time = absl::Now();
  std::vector<v1::Worker> workers;
  v1::GetQueueResponse queue;
  std::vector<v1::RequestInfo> open;  // requests that have not ended, the oldest first
  size_t more = 0;                    // of them, newer
  bool all = true;                    // no older one can have been missed
};

absl::StatusOr<Look> LookAt(FarmClient& farm, size_t limit) {
  Look look;
  ASSIGN_OR_RETURN(look.workers, farm.ListWorkers());
  ASSIGN_OR_RETURN(look.queue, farm.GetQueue());
  ASSIGN_OR_RETURN(OpenRequests open, farm.ListOpen());
  look.open = std::move(open.requests);
  look.all = open.all;
  std::reverse(look.open.begin(), look.open.end());
  if (look.open.size() > limit) {
    look.more = look.open.size() - limit;
    look.open.resize(limit);
  }
  return look;
}

std::string Clock(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

std::string Headline(const Look& look) {
  uint32_t workers = 0, slots = 0, busy = 0;
  uint64_t memory = 0;
  for (const v1::Worker& worker : look.workers) {
    if (worker.silent()) continue;
    ++workers;
    slots += worker.slots();
    busy += worker.busy();
    memory += worker.memory_bytes();
  }
  return fmt::format("{}  {} {}, {} of {} slots busy, {}", Clock(look.time), workers,
                     workers == 1 ? "worker" : "workers", busy, slots, HumanBytes(memory));
}

Json AsJson(const Look& look) {
  Json workers = Json::array(), requests = Json::array();
  for (const v1::Worker& worker : look.workers) workers.push_back(ToJson(worker));
  for (const v1::RequestInfo& info : look.open) requests.push_back(ToJson(info));
  return {{"time", Clock(look.time)},
          {"queue", ToJson(look.queue)},
          {"workers", workers},
          {"requests", requests},
          {"more_requests", look.more}};
}

std::vector<std::string> Page(const Look& look) {
  std::vector<std::string> lines = {Headline(look), Line(look.queue, look.workers)};
  const auto add = [&](std::vector<std::vector<std::string>> rows) {
    lines.emplace_back();
    for (std::string& line : Columns(rows)) lines.push_back(std::move(line));
  };
  std::vector<std::vector<std::string>> rows = {WorkerTitles()};
  for (const v1::Worker& worker : look.workers) rows.push_back(Row(worker));
  if (rows.size() > 1) add(std::move(rows));
  rows = ClassRows(look.queue);
  if (rows.size() > 1) add(std::move(rows));
  rows = {{"request", "state", "ended", "created"}};
  for (const v1::RequestInfo& info : look.open) rows.push_back(Row(info));
  if (rows.size() > 1) add(std::move(rows));
  if (look.more > 0) lines.push_back(fmt::format("and {} more, newer", look.more));
  if (!look.all) lines.push_back("and perhaps older ones: there are too many requests to look at all");
  return lines;
}

// From the terminal's first line on; what does not fit is left out.
void Draw(const std::vector<std::string>& lines) {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  const size_t columns = known ? size.ws_col : 80, rows = known ? size.ws_row : 24;
  std::string frame = "\x1b[H";
  for (size_t i = 0; i < std::min(lines.size(), rows - 1); ++i) frame += CutTo(lines[i], columns) + "\x1b[K\n";
  frame += "\x1b[J";
  std::fwrite(frame.data(), 1, frame.size(), stdout);
}

void Show(const Look& look, bool json, bool once) {
  if (json) {
    Print(AsJson(look));
  } else if (once) {
    for (const std::string& line : Page(look)) std::puts(line.c_str());
  } else if (isatty(STDOUT_FILENO) != 0) {
    Draw(Page(look));
  } else {
    std::puts(fmt::format("{}; {}", Headline(look), Line(look.queue, look.workers)).c_str());
  }
  std::fflush(stdout);
}

}  // namespace

int RunTop(const Settings& settings, const Arguments&) {
  const absl::StatusOr<std::unique_ptr<FarmClient>> farm = ConnectToServer(settings);
  if (!farm.ok()) return Fail(farm.status());
  const bool json = settings.Switch("json"), once = settings.Switch("once");
  const auto limit = static_cast<size_t>(settings.Integer("limit", kRequests));
  const absl::Duration every = settings.Duration("every").value_or(kEvery);
  std::stop_source stop;
  Interrupts interrupts;
  const auto leave = [&] { stop.request_stop(); };
  interrupts.Start(leave, leave, leave, absl::InfiniteFuture());
  std::mutex mutex;
  std::condition_variable_any wake;
  for (;;) {
    const absl::StatusOr<Look> look = LookAt(**farm, limit);
    if (!look.ok()) return Fail(look.status());
    Show(*look, json, once);
    if (once) return kExitOk;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop.get_token(), absl::ToChronoMilliseconds(every), [] { return false; });
    if (stop.stop_requested()) return kExitOk;
  }
}

}  // namespace slipway::cli
