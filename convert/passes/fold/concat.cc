#include <algorithm>

#include "convert/passes/fold/rules.h"
#include "convert/passes/match.h"

namespace slipway::fold {
namespace {

bool IsEmpty(const Value* value) {
  return value->shape && std::ranges::find(*value->shape, Dim(0)) != value->shape->end();
}

class DropEmptyPartsRule final : public Rule {
 public:
  std::string_view name() const override { return "drop-empty-parts"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    std::vector<Value*> parts;
    for (Value* part : node.inputs) {
      if (part == nullptr) return false;
      if (!IsEmpty(part)) parts.push_back(part);
    }
    if (parts.empty() || parts.size() == node.inputs.size() || node.output()->quantization) return false;
    if (const absl::Status status = Rewrite(graph, node, OpKind::kConcat, std::move(parts), node.attributes);
        !status.ok())
      return status;
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kConcat};
};

}  // namespace

std::unique_ptr<Rule> DropEmptyParts() { return std::make_unique<DropEmptyPartsRule>(); }

}  // namespace slipway::fold
