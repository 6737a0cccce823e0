#include "common/queue/records.h"

#include <algorithm>
#include <charconv>

#include "common/base/error.h"
#include "common/queue/states.h"

namespace slipway {
namespace {

constexpr size_t kLongestLine = 400;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename T>
bool ParseNumber(std::string_view text, T& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

absl::StatusOr<TaskView> ParseTask(uint32_t index, std::string_view record, std::string_view reasons) {
  // state, version, attempts, class, cost, blocked by, worker, token, result, reason, progress, kills
  std::vector<std::string_view> parts = Split(record, '\n');
  TaskView task;
  task.index = index;
  if (parts.size() == 12 && parts[0].size() == 1) {
    std::optional<TaskState> state = TaskStateOf(parts[0][0]);
    if (state && ParseNumber(parts[1], task.version) && ParseNumber(parts[2], task.attempts)) {
      task.state = *state;
      task.task_class = parts[3];
      task.worker = parts[6];
      task.result = parts[8];
      task.reason = parts[9];
      task.progress = parts[10];
      if (!reasons.empty()) {
        for (std::string_view line : Split(reasons, '\n')) task.attempt_reasons.emplace_back(line);
      }
      return task;
    }
  }
  return DataLoss("Redis: the record of task {} is malformed", index);
}

absl::StatusOr<RequestView> ParseRequest(std::string id, std::span<redisReply* const> fields, uint64_t* sequence) {
  const auto malformed = [&] { return DataLoss("Redis: the record of request {} is malformed", id); };
  if (fields.size() != 4) return malformed();
  // state, priority, version, open, then how many tasks are in each state
  const std::vector<std::string_view> status = Split(Text(fields[0]), ' ');
  // tenant, tasks, bytes, created, retention, sequence, classes, digest, idempotency key
  const std::vector<std::string_view> about = Split(Text(fields[1]), '\n');
  constexpr std::string_view kLetters = "BQDRPUGFCS";
  RequestView request;
  int64_t created = 0;
  uint64_t unused = 0;
  if (status.size() != 4 + kLetters.size() || status[0].size() != 1 || about.size() != 9) return malformed();
  const std::optional<RequestState> state = RequestStateOf(status[0][0]);
  if (!state || !ParseNumber(status[1], request.priority) || !ParseNumber(status[2], request.version) ||
      !ParseNumber(status[3], request.open) || !ParseNumber(about[1], request.tasks) ||
      !ParseNumber(about[3], created) || !ParseNumber(about[5], sequence != nullptr ? *sequence : unused))
    return malformed();
  for (size_t i = 0; i < kLetters.size(); ++i) {
    uint32_t count = 0;
    if (!ParseNumber(status[4 + i], count)) return malformed();
    if (count > 0) request.counts[*TaskStateOf(kLetters[i])] = count;
  }
  request.id = std::move(id);
  request.tenant = about[0];
  request.spec = Text(fields[2]);
  request.state = *state;
  request.created = absl::FromUnixMillis(created);
  const std::string_view waiters = Text(fields[3]);  // a line each
  request.waiters = static_cast<uint32_t>(std::ranges::count(waiters, '\n'));
  return request;
}

absl::StatusOr<WorkerView> ParseWorker(std::string id, std::string_view record) {
  // last seen, host, version, slots, busy, classes, memory, memory of a task
  std::vector<std::string_view> parts = Split(record, '\n');
  WorkerView worker;
  worker.id = std::move(id);
  int64_t seen = 0;
  if (parts.size() != 8 || !ParseNumber(parts[6], worker.memory_bytes) ||
      !ParseNumber(parts[7], worker.task_memory_bytes) || !ParseNumber(parts[0], seen) ||
      !ParseNumber(parts[3], worker.slots) || !ParseNumber(parts[4], worker.busy))
    return DataLoss("Redis: the record of worker {} is malformed", worker.id);
  worker.last_seen = absl::FromUnixMillis(seen);
  worker.host = parts[1];
  worker.version = parts[2];
  for (std::string_view name : Split(parts[5], ',')) {
    if (!name.empty()) worker.classes.emplace_back(name);
  }
  return worker;
}

std::string WorkerRecord(const WorkerView& worker) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", RecordField(worker.host), RecordField(worker.version), worker.slots,
                     worker.busy, RecordField(Join(worker.classes, ',')), worker.memory_bytes,
                     worker.task_memory_bytes);
}

std::string RecordField(std::string_view text) {
  std::string line(text.substr(0, kLongestLine));
  if (text.size() > kLongestLine) {
    auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
    size_t end = kLongestLine - 3;
    while (end > 0 && continues(text[end])) --end;
    line = std::string(text.substr(0, end)) + "...";
  }
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

std::string Join(std::span<const std::string> parts, char separator) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += separator;
    joined += part;
  }
  return joined;
}

}  // namespace slipway
