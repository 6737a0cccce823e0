#include "common/base/error.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

class FoldConstants final : public Pass {
 public:
  FoldConstants() {
    rules_.push_back(fold::RemoveIdentities());
    rules_.push_back(fold::FoldConstants());
    rules_.push_back(fold::FoldShapeArithmetic());
    rules_.push_back(fold::MergeTransposes());
    rules_.push_back(fold::MergeReshapes());
    rules_.push_back(fold::InlineIf());
    rules_.push_back(fold::GatherToReshape());
    rules_.push_back(fold::BroadcastWithoutExpand());
    rules_.push_back(fold::OpenEnds());
    rules_.push_back(fold::DropEmptyParts());
  }
  std::string_view name() const override { return "fold-constants"; }
  absl::StatusOr<bool> Run(Graph& graph) const override { return ApplyRules(graph, rules_); }

 private:
  std::vector<std::unique_ptr<Rule>> rules_;
};

}  // namespace

std::unique_ptr<Pass> MakeFoldConstants() { return std::make_unique<FoldConstants>(); }

}  // namespace slipway
