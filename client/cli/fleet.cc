#include "client/cli/fleet.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/cli/requests.h"
#include "client/cli/waiting.h"
#include "client/report/text.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;

// The parts are not counted at one instant.
uint64_t Blocked(const v1::GetQueueResponse& queue) {
  const uint64_t others = queue.ready() + queue.running() + queue.delayed();
  return queue.open() - std::min(queue.open(), others);
}

double Oldest(const v1::GetQueueResponse& queue) {
  double oldest = 0;
  for (const v1::QueueClass& tasks : queue.classes()) oldest = std::max(oldest, tasks.oldest_ready_seconds());
  return oldest;
}

}  // namespace

Json ToJson(const v1::Worker& worker) {
  Json classes = Json::array();
  for (const std::string& name : worker.classes()) classes.push_back(name);
  return {{"id", worker.id()},
          {"host", worker.host()},
          {"version", worker.version()},
          {"slots", worker.slots()},
          {"busy", worker.busy()},
          {"memory_bytes", worker.memory_bytes()},
          {"task_memory_bytes", worker.task_memory_bytes()},
          {"classes", classes},
          {"last_seen", UtcTime(worker.last_seen())},
          {"silent", worker.silent()}};
}

std::vector<std::string> WorkerTitles() {
  return {"id", "host", "version", "slots", "busy", "memory", "task memory", "classes", "last seen"};
}

std::vector<std::string> Row(const v1::Worker& worker) {
  return {worker.id(),
          worker.host(),
          worker.version(),
          std::to_string(worker.slots()),
          std::to_string(worker.busy()),
          worker.memory_bytes() == 0 ? "-" : HumanBytes(worker.memory_bytes()),
          worker.task_memory_bytes() == 0 ? "-" : HumanBytes(worker.task_memory_bytes()),
          fmt::format("{}", fmt::join(worker.classes(), ",")),
          UtcTime(worker.last_seen()) + (worker.silent() ? " (silent)" : "")};
}

Json ToJson(const v1::GetQueueResponse& queue) {
  Json classes = Json::object();
  for (const v1::QueueClass& tasks : queue.classes()) {
    classes[tasks.name()] = {{"ready", tasks.ready()},
                             {"oldest_ready_seconds", tasks.oldest_ready_seconds()},
                             {"workers", tasks.workers()},
                             {"slots", tasks.slots()}};
  }
  return {{"open", queue.open()},       {"ready", queue.ready()},    {"running", queue.running()},
          {"delayed", queue.delayed()}, {"blocked", Blocked(queue)}, {"classes", classes}};
}

std::string Line(const v1::GetQueueResponse& queue, std::span<const v1::Worker> workers) {
  std::string line = fmt::format("queue: {} open, {} ready, {} running, {} delayed, {} blocked", queue.open(),
                                 queue.ready(), queue.running(), queue.delayed(), Blocked(queue));
  if (queue.ready() > 0) line += fmt::format("; oldest ready {:.0f} s", Oldest(queue));
  WaitingTasks waiting;
  for (const v1::QueueClass& tasks : queue.classes()) {
    if (tasks.ready() > 0) waiting[tasks.name()] = tasks.ready();
  }
  const std::string unserved = Unserved(waiting, workers);
  return unserved.empty() ? line : line + "; " + unserved;
}

std::vector<std::vector<std::string>> ClassRows(const v1::GetQueueResponse& queue) {
  std::vector<std::vector<std::string>> rows = {{"class", "ready", "oldest", "workers", "slots"}};
  for (const v1::QueueClass& tasks : queue.classes()) {
    if (tasks.ready() == 0) continue;
    rows.push_back({tasks.name(), std::to_string(tasks.ready()), fmt::format("{:.0f} s", tasks.oldest_ready_seconds()),
                    std::to_string(tasks.workers()), std::to_string(tasks.slots())});
  }
  return rows;
}

}  // namespace slipway::cli
