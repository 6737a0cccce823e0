#include "client/cli/cells.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/values.h"
#include "common/base/error.h"
#include "convert/capabilities/capabilities.h"

namespace slipway::cli {
namespace {

constexpr std::string_view kAll = "all";

// One of the names asked for; `wildcard` if it came from `all`.
struct Choice {
  std::string name;
  bool wildcard = false;
};

std::vector<std::string> TargetNames() {
  std::vector<std::string> names;
  for (const TargetInfo& target : Targets()) names.emplace_back(target.name);
  return names;
}

std::vector<std::string> PrecisionNames() {
  const auto precisions = Precisions();
  return {precisions.begin(), precisions.end()};
}

absl::StatusOr<std::vector<Choice>> Choose(const std::vector<std::string>& wanted,
                                           const std::vector<std::string>& known, std::string_view what) {
  std::vector<Choice> choices;
  const auto add = [&](const std::string& name, bool wildcard) {
    for (Choice& choice : choices) {
      if (choice.name != name) continue;
      choice.wildcard = choice.wildcard && wildcard;  // named beside `all`: asked for
      return;
    }
    choices.push_back({name, wildcard});
  };
  for (const std::string& name : wanted) {
    if (name == kAll) {
      for (const std::string& each : known) add(each, true);
    } else if (std::find(known.begin(), known.end(), name) != known.end()) {
      add(name, false);
    } else {
      std::string list;
      for (const std::string& each : known) list += each + ", ";
      return InvalidArgument("there is no {} '{}': there are {}and all", what, name, list);
    }
  }
  return choices;
}

}  // namespace

absl::StatusOr<PairSelection> SelectPairs(const std::vector<std::string>& targets,
                                          const std::vector<std::string>& precisions) {
  const auto usage = [](const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); };
  absl::StatusOr<std::vector<Choice>> chosen_targets =
      Choose(targets.empty() ? std::vector<std::string>{std::string(kAll)} : targets, TargetNames(), "target");
  if (!chosen_targets.ok()) return usage(chosen_targets.status());
  absl::StatusOr<std::vector<Choice>> chosen_precisions =
      Choose(precisions.empty() ? std::vector<std::string>{"fp32"} : precisions, PrecisionNames(), "precision");
  if (!chosen_precisions.ok()) return usage(chosen_precisions.status());

  PairSelection selection;
  std::vector<std::string> reasons;
  for (const Choice& target : *chosen_targets) {
    for (const Choice& precision : *chosen_precisions) {
      std::string reason;
      if (CanExport(target.name, precision.name, &reason)) {
        selection.pairs.emplace_back(target.name, precision.name);
      } else if (target.wildcard || precision.wildcard) {
        selection.left_out.push_back(fmt::format("{} {} is left out: {}", target.name, precision.name, reason));
        reasons.push_back(reason);
      } else {
        return usage(InvalidArgument("{} {}: {}", target.name, precision.name, reason));
      }
    }
  }
  if (selection.pairs.empty()) {
    return usage(InvalidArgument("none of the pairs asked for can be made: {}", fmt::join(reasons, "; ")));
  }
  return selection;
}

}  // namespace slipway::cli
