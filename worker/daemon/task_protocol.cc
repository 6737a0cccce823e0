#include "worker/daemon/task_protocol.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/base/error.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr size_t kBlobsAFrame = 100;  // under Channel::kMaxFds
constexpr size_t kNoteBytes = 2000;   // of a message or reason

std::string Text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t Number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

json Parse(std::string_view body) { return json::parse(body, nullptr, /*allow_exceptions=*/false); }

// Bytes that are no UTF-8 (a tensor's name in a message) are replaced.
std::string Dump(const json& body) { return body.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string OneLine(std::string text) {
  if (text.size() > kNoteBytes) text.resize(kNoteBytes);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }, ' ');
  return text;
}

json ToJson(const absl::Status& status) {
  return {{"code", static_cast<int>(status.code())},
          {"message", OneLine(Message(status))},
          {"kind", static_cast<int>(KindOf(status))}};
}

absl::Status StatusFrom(const json& object) {
  if (!object.is_object()) return DataLoss("a child sent a malformed error");
  const int64_t code = Number(object, "code"), kind = Number(object, "kind");
  if (code <= 0 || code > 16 || kind < 0 || kind > static_cast<int>(ErrorKind::kCancelled))
    return DataLoss("a child sent a malformed error");
  return WithKind(absl::Status(static_cast<absl::StatusCode>(code), OneLine(Text(object, "message"))),
                  static_cast<ErrorKind>(kind));
}

json ToJson(const TaskOutput& output) {
  return {{"state", output.state},    {"reason", OneLine(output.reason)}, {"entry", output.entry},
          {"files", output.files},    {"parity", output.parity},          {"reference", output.reference},
          {"emitted", output.emitted}};
}

absl::StatusOr<TaskOutput> OutputFrom(const json& object) {
  if (!object.is_object()) return DataLoss("a child sent a malformed result");
  TaskOutput output;
  output.state = Text(object, "state");
  output.reason = OneLine(Text(object, "reason"));
  output.entry = Text(object, "entry");
  output.parity = Text(object, "parity");
  output.reference = Text(object, "reference");
  output.emitted = Text(object, "emitted");
  if (const auto files = object.find("files"); files != object.end() && files->is_array()) {
    for (const auto& file : *files) {
      if (!file.is_string()) return DataLoss("a child sent a malformed result");
      output.files.push_back(file.get<std::string>());
    }
  }
  return output;
}

absl::StatusOr<TaskMessage> TaskFrom(const json& body) {
  // The spec of one task: its model and its options; which task of its request prepared it the child need not know.
  ASSIGN_OR_RETURN(RequestSpec spec, RequestSpec::FromJson(Text(body, "spec")));
  if (spec.models.size() != 1 || spec.tasks.size() != 1) return DataLoss("a task's spec is malformed");
  TaskMessage message;
  message.model = std::move(spec.models[0]);
  message.options = std::move(spec.options);
  message.task = std::move(spec.tasks[0]);
  message.prepare_entry = Text(body, "prepare_entry");
  message.judge_timeout = absl::Milliseconds(Number(body, "judge_timeout_ms"));
  if (const auto made = body.find("made"); made != body.end()) {
    if (!made->is_string()) return DataLoss("a task's artifact is malformed");
    ASSIGN_OR_RETURN(const TaskResult result, TaskResult::FromJson(made->get<std::string>()));
    if (!result.emitted) return DataLoss("a task's artifact is malformed");
    message.made = MadeArtifact{result.files, *result.emitted};
  }
  if (const std::string reference = Text(body, "reference"); !reference.empty()) {
    ASSIGN_OR_RETURN(message.reference, Digest::Parse(reference));
  }
  const auto blobs = body.find("blobs");
  if (blobs == body.end() || !blobs->is_array()) return DataLoss("a task without its blobs");
  for (const auto& blob : *blobs) {
    ASSIGN_OR_RETURN(Digest digest, Digest::Parse(blob.is_string() ? blob.get<std::string>() : ""));
    message.blobs.push_back(digest);
  }
  return message;
}

}  // namespace

absl::Status SendTask(Channel& child, const TaskMessage& task, const std::vector<int>& blobs) {
  if (task.noop) return child.Send(R"({"op":"noop"})");
  RequestSpec spec;
  spec.models = {task.model};
  spec.options = task.options;
  spec.tasks = {task.task};
  spec.tasks[0].model = 0;
  spec.tasks[0].prepare = -1;
  json body = {{"op", "task"},
               {"spec", spec.ToJson()},
               {"prepare_entry", task.prepare_entry},
               {"judge_timeout_ms", absl::ToInt64Milliseconds(task.judge_timeout)},
               {"blobs", json::array()}};
  if (task.made) {
    body["made"] = TaskResult{.entry = "{}", .files = task.made->files, .emitted = task.made->emitted}.ToJson();
  }
  if (task.reference) body["reference"] = task.reference->ToString();
  for (const Digest& digest : task.blobs) body["blobs"].push_back(digest.ToString());
  size_t sent = 0;
  while (blobs.size() - sent > kBlobsAFrame) {
    RETURN_IF_ERROR(
        child.Send(R"({"op":"blobs"})", std::vector<int>(blobs.begin() + sent, blobs.begin() + sent + kBlobsAFrame)));
    sent += kBlobsAFrame;
  }
  return child.Send(Dump(body), std::vector<int>(blobs.begin() + sent, blobs.end()));
}

absl::StatusOr<std::pair<TaskMessage, std::vector<UniqueFd>>> ReceiveTask(Channel& daemon) {
  std::vector<UniqueFd> fds;
  for (;;) {
    ASSIGN_OR_RETURN(Frame frame, daemon.Receive());
    std::move(frame.fds.begin(), frame.fds.end(), std::back_inserter(fds));
    const json body = Parse(frame.body);
    if (!body.is_object()) return DataLoss("not a task: {} bytes", frame.body.size());
    const std::string op = Text(body, "op");
    if (op == "blobs") continue;
    if (op == "noop") {
      TaskMessage message;
      message.noop = true;
      return std::pair(std::move(message), std::move(fds));
    }
    if (op != "task") return DataLoss("not a task: '{}'", op);
    ASSIGN_OR_RETURN(TaskMessage message, TaskFrom(body));
    if (message.blobs.size() != fds.size())
      return DataLoss("{} blobs named, {} sent", message.blobs.size(), fds.size());
    return std::pair(std::move(message), std::move(fds));
  }
}

absl::Status SendToDaemon(Channel& daemon, const ChildMessage& message) {
  json body;
  if (const auto* hello = std::get_if<ChildHello>(&message)) {
    body = {{"op", "hello"}, {"jail", Name(hello->jail)}};
  } else if (const auto* progress = std::get_if<ChildProgress>(&message)) {
    body = {{"op", "progress"}, {"step", progress->step}};
  } else if (const auto* host = std::get_if<ChildWantsHost>(&message)) {
    body = {{"op", "host"}, {"runtime", host->runtime}};
  } else {
    const auto& output = std::get<ChildResult>(message).output;
    body = {{"op", "result"}};
    if (output.ok()) {
      body["output"] = ToJson(*output);
    } else {
      body["error"] = ToJson(output.status());
    }
  }
  return daemon.Send(Dump(body));
}

absl::StatusOr<ChildMessage> ParseChildMessage(std::string_view text) {
  const json body = Parse(text);
  if (!body.is_object()) return DataLoss("a child sent {} bytes that are no message", text.size());
  const std::string op = Text(body, "op");
  if (op == "hello") {
    for (JailLevel level : {JailLevel::kNone, JailLevel::kPartial, JailLevel::kFull}) {
      if (Text(body, "jail") == Name(level)) return ChildHello{level};
    }
    return DataLoss("a child named no jail level");
  }
  if (op == "progress") return ChildProgress{OneLine(Text(body, "step"))};
  if (op == "host") return ChildWantsHost{Text(body, "runtime")};
  if (op != "result") return DataLoss("a child sent an unknown message");
  if (const auto error = body.find("error"); error != body.end()) return ChildResult{StatusFrom(*error)};
  ASSIGN_OR_RETURN(TaskOutput output, OutputFrom(body.value("output", json())));
  return ChildResult{std::move(output)};
}

absl::Status SendHost(Channel& child, const absl::StatusOr<int>& connection) {
  if (connection.ok()) return child.Send(R"({"op":"host"})", {*connection});
  return child.Send(Dump({{"op", "host"}, {"error", ToJson(connection.status())}}));
}

absl::StatusOr<UniqueFd> ReceiveHost(Channel& daemon) {
  ASSIGN_OR_RETURN(Frame frame, daemon.Receive());
  const json body = Parse(frame.body);
  if (!body.is_object() || Text(body, "op") != "host") return DataLoss("the daemon sent no answer about a host");
  if (const auto error = body.find("error"); error != body.end()) return StatusFrom(*error);
  if (frame.fds.size() != 1) return DataLoss("the daemon sent no host");
  return std::move(frame.fds[0]);
}

}  // namespace slipway
