// What one task does, step by step, inside a jailed child: it sees mapped inputs, a scratch folder and judge hosts, no network and no store.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "common/task/task.h"
#include "convert/runtimes/runtime.h"

namespace slipway {

// An artifact that an earlier task made of the same source by the same converter.
struct MadeArtifact {
  std::vector<ResultFile> files;  // their bytes, and those of `emitted`, are among the blobs
  Digest emitted;                 // EmittedText
};

struct TaskInputs {
  SpecModel model;
  SpecOptions options;
  SpecTask task;
  std::map<std::string, std::shared_ptr<const MappedFile>>
      blobs;                         // by Digest::ToString(): the model's files and, for a cell, the reference bundle
  std::optional<Digest> reference;   // of the reference bundle
  std::string prepare_entry;         // the prepare task's `entry`
  std::optional<MadeArtifact> made;  // a cell's: only to be judged
};

struct TaskOutput {
  std::string state;               // "passed", "unverified", "parity_failed", "failed"
  std::string reason;              // one line unless passed
  std::string entry;               // TaskResult::entry, without digests (the daemon hashes)
  std::vector<std::string> files;  // the artifact's, relative to the scratch folder's "artifact/"
  std::string parity;              // file name in the scratch folder; "" if none
  std::string reference;           // prepare: file name in the scratch folder
  std::string emitted;             // cell: file name in the scratch folder; "" if none
};

// The surroundings of a task.
struct TaskContext {
  std::filesystem::path scratch;                   // empty when the task starts
  HostProvider* hosts;                             // never null
  std::function<void(std::string_view)> progress;  // "importing", "converting", "judging"
};

// Runs `prepare`: import, samples, reference outputs (only when options.verify).
// A model's fault is an output of state "failed"; an error status is the machine's (the task is returned and tried again).
absl::StatusOr<TaskOutput> RunPrepare(const TaskInputs& inputs, const TaskContext& context);
// Runs a cell: import, legalize, write, judge. An artifact that is made already is only judged.
absl::StatusOr<TaskOutput> RunCell(const TaskInputs& inputs, const TaskContext& context);

}  // namespace slipway
