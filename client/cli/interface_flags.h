// The flags that say what a model's inputs and outputs shall be: presets spelt out, checked, and said again.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/models.h"
#include "client/cli/settings.h"
#include "common/task/task.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway::cli {

// INVALID_ARGUMENT (usage) for an unknown preset or layout, names given twice, a std that is not positive, a preset for what is no classifier or for classifiers of
// different statistics, and labels that cannot be read. `notes` receives which statistics a preset stands for.
absl::StatusOr<InterfaceOptions> ReadInterface(const Settings& settings, const std::vector<ModelArgument>& models,
                                               std::vector<std::string>& notes);

v1::InterfaceOptions ToMessage(const InterfaceOptions& options);

// (flag, value) pairs that give `options` again; a switch has an empty value.
std::vector<std::pair<std::string, std::string>> ToFlags(const InterfaceOptions& options);

}  // namespace slipway::cli
