// Everything that `slipway export` was asked for, checked, before anything starts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/models.h"
#include "client/cli/settings.h"
#include "common/task/task.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway::cli {

struct ExportPlan {
  std::vector<ModelArgument> models;
  std::vector<std::pair<std::string, std::string>> pairs;  // (target, precision): every model is made in every pair
  std::vector<std::string> notes;                          // lines for the user
  InterfaceOptions interface;
  std::optional<int64_t> opset, samples;
  std::optional<double> tolerance;
  bool dummy = false;
  std::optional<int64_t> num_classes, input_size;
  bool verify = true;
  int priority = 0;
  bool fresh = false;                     // joins no equal request
  std::optional<absl::Duration> timeout;  // of the request, from its submission
  std::string out;
};

// INVALID_ARGUMENT (usage) for whatever is impossible.
absl::StatusOr<ExportPlan> MakePlan(const Settings& settings, const std::vector<std::string>& arguments);

// The request; digests of its files must be known.
v1::SubmitRequest ToRequest(const ExportPlan& plan, const std::string& idempotency_key);

// Commands that make the same again: everything, or one cell.
std::string Reproduce(const ExportPlan& plan);
std::string Reproduce(const ExportPlan& plan, const ModelArgument& model,
                      const std::pair<std::string, std::string>& pair);

}  // namespace slipway::cli
