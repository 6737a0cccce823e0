#include "common/base/error.h"
#include "convert/passes/control_flow.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

class RemoveDead final : public Pass {
 public:
  std::string_view name() const override { return "remove-dead"; }
  absl::StatusOr<bool> Run(Graph& graph) const override {
    bool changed = graph.RemoveDead() > 0;
    if (!graph.MayHoldGraphs()) return changed;
    for (const auto& node : graph.nodes()) {
      if (!HoldsGraphs(*node)) continue;
      for (const auto& [name, attribute] : node->attributes.all()) {
        if (const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&attribute)) {
          ASSIGN_OR_RETURN(const bool inner, Run(**subgraph));
          changed |= inner;
        }
      }
    }
    return changed;
  }
};

}  // namespace

std::unique_ptr<Pass> MakeRemoveDead() { return std::make_unique<RemoveDead>(); }

}  // namespace slipway
