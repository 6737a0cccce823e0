// Manifest entries (contract of manifest.json): what a task says of its model or its artifact.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/task/task.h"
#include "convert/ir/graph.h"
#include "convert/targets/target.h"

namespace slipway {

// Hash of the converter's sources: equal ids make equal bytes.
std::string_view BuildId();

// The model's fields. `graph` gives the source's interface; nullptr: unknown. `opset` 0: none.
nlohmann::json ModelEntry(const SpecModel& model, const Graph* graph, int opset);

// The artifact's fields, every one present: those that nobody knows yet are null.
nlohmann::json ArtifactEntry(const SpecTask& task);
nlohmann::json ToJson(const IoSchema& io);

// The entry of a task that ended failed before it had one; JSON text.
std::string FailedEntry(const SpecModel& model, const SpecTask& task, std::string_view reason);

// Compact JSON; bytes that are no UTF-8 (names in hostile models) replaced.
std::string EntryText(const nlohmann::json& entry);

// How long each step took.
class Timings {
 public:
  // Ends the step that runs, if any, and begins `step`.
  void Begin(std::string_view step);
  nlohmann::json ToJson();  // ends the last step; milliseconds

 private:
  std::map<std::string, double> milliseconds_;
  std::string step_;
  absl::Time began_;
};

}  // namespace slipway
