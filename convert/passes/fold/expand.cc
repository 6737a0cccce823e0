// Expands whose readers would broadcast by themselves, as exporters write F.normalize and attention over channels.
#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/match.h"

namespace slipway::fold {
namespace {

constexpr OpKind kBroadcasting[] = {OpKind::kAdd,  OpKind::kSub,         OpKind::kMul,
                                    OpKind::kDiv,  OpKind::kPow,         OpKind::kMin,
                                    OpKind::kMax,  OpKind::kGreater,     OpKind::kGreaterOrEqual,
                                    OpKind::kLess, OpKind::kLessOrEqual, OpKind::kEqual,
                                    OpKind::kWhere};

// Whether `reader` gives the same shape when `expanded` is as small as `small`: on each axis that the Expand grows, another operand has the result's size.
bool BroadcastsItself(const Node& reader, const Value* expanded, const Shape& small) {
  if (std::ranges::find(kBroadcasting, reader.kind) == std::end(kBroadcasting)) return false;
  if (!reader.output() || !reader.output()->shape) return false;
  const Shape &result = *reader.output()->shape, &grown = *expanded->shape;
  if (result.size() < grown.size()) return false;
  for (size_t back = 1; back <= grown.size(); ++back) {
    const Dim before = back <= small.size() ? small[small.size() - back] : Dim(1);
    const Dim& size = result[result.size() - back];
    if (back <= small.size() && before == grown[grown.size() - back]) continue;
    const bool given = std::ranges::any_of(reader.inputs, [&](const Value* other) {
      return other != nullptr && other != expanded && other->shape && back <= other->shape->size() &&
             (*other->shape)[other->shape->size() - back] == size;
    });
    if (!given) return false;
  }
  return true;
}

class ExpandBeforeBroadcast final : public Rule {
 public:
  std::string_view name() const override { return "broadcast-without-expand"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& expand) const override {
    Value *small = expand.input(0), *expanded = expand.output();
    if (!small->shape || !expanded->shape || small->quantization || graph.IsOutput(expanded)) return false;
    bool changed = false;
    std::vector<Node*> readers;
    for (const auto& use : expanded->uses) {
      if (use.node != nullptr) readers.push_back(use.node);
    }
    for (Node* reader : readers) {
      if (!BroadcastsItself(*reader, expanded, *small->shape)) continue;
      for (size_t i = 0; i < reader->inputs.size(); ++i) {
        if (reader->inputs[i] != expanded) continue;
        graph.SetInput(reader, i, small);
        changed = true;
      }
    }
    return changed;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kExpand};
};

}  // namespace

std::unique_ptr<Rule> BroadcastWithoutExpand() { return std::make_unique<ExpandBeforeBroadcast>(); }

}  // namespace slipway::fold
