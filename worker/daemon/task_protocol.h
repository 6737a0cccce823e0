// What the daemon and a warm child say to each other (common/base/channel.h frames, JSON bodies).
//   child  → {"op":"hello","jail":"partial"}                                     once, when it is ready
//   daemon → {"op":"noop"}                                                       a task without a model
//   daemon → {"op":"blobs"} + descriptors                                        before a task of more than 100 blobs,
//   as often as needed daemon → {"op":"task","spec":…,"reference":…,"prepare_entry":…,"made":…,"judge_timeout_ms":…,"blobs":[digest…]} + descriptors
//   child  → {"op":"progress","step":"converting"}                               any number
//   child  → {"op":"host","runtime":"litert"}      daemon → {"op":"host"} + connection | {"op":"host","error":status}
//   child  → {"op":"result","output":{…}} | {"op":"result","error":status}       the task's end
// status = {"code":absl code,"message":…,"kind":0–3}. The daemon trusts nothing that a child says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/channel.h"
#include "common/task/task.h"
#include "worker/jail/jail.h"
#include "worker/pipeline/pipeline.h"

namespace slipway {

// A task on its way to a child; `blobs[i]` is what descriptor i holds.
struct TaskMessage {
  bool noop = false;
  SpecModel model;
  SpecOptions options;
  SpecTask task;
  std::optional<Digest> reference;
  std::string prepare_entry;
  std::optional<MadeArtifact> made;
  std::vector<Digest> blobs;
  absl::Duration judge_timeout = absl::Minutes(2);  // HostProvider::answer_timeout
};

absl::Status SendTask(Channel& child, const TaskMessage& task, const std::vector<int>& blobs);
// In the child: the next task, its blobs in order. UNAVAILABLE: the daemon is gone.
absl::StatusOr<std::pair<TaskMessage, std::vector<UniqueFd>>> ReceiveTask(Channel& daemon);

struct ChildHello {
  JailLevel jail = JailLevel::kNone;
};
struct ChildProgress {
  std::string step;
};
struct ChildWantsHost {
  std::string runtime;
};
struct ChildResult {
  absl::StatusOr<TaskOutput> output;
};
using ChildMessage = std::variant<ChildHello, ChildProgress, ChildWantsHost, ChildResult>;

absl::Status SendToDaemon(Channel& daemon, const ChildMessage& message);
// DATA_LOSS: not the protocol.
absl::StatusOr<ChildMessage> ParseChildMessage(std::string_view body);

absl::Status SendHost(Channel& child, const absl::StatusOr<int>& connection);
absl::StatusOr<UniqueFd> ReceiveHost(Channel& daemon);

}  // namespace slipway
