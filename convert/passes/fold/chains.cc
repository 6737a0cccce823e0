#include "common/base/error.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::fold {
namespace {

class MergeTransposesRule final : public Rule {
 public:
  std::string_view name() const override { return "merge-transposes"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Node* inner = ProducerOf(node.input(0), OpKind::kTranspose);
    if (inner == nullptr) return false;
    const std::vector<int64_t> first = PermOf(*inner), second = PermOf(node);
    if (first.empty() || first.size() != second.size()) return false;
    Attributes attributes;
    attributes.Set("perm", Compose(first, second));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kTranspose, {inner->input(0)}, std::move(attributes)));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kTranspose};
};

bool IsReshape(const Node& node) {
  return node.kind == OpKind::kReshape || node.kind == OpKind::kFlatten || node.kind == OpKind::kSqueeze ||
         node.kind == OpKind::kUnsqueeze;
}

class MergeReshapesRule final : public Rule {
 public:
  std::string_view name() const override { return "merge-reshapes"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* data = node.input(0);
    const bool computed = node.kind == OpKind::kReshape && node.constant(1) == nullptr;
    const bool chained = data->producer != nullptr && IsReshape(*data->producer) && data->producer->graph == &graph;
    if ((!computed && !chained) || !node.output()->shape) return false;
    if (chained) data = data->producer->input(0);
    if (!data->shape) return false;
    const std::optional<std::vector<int64_t>> target = ReshapeTarget(*data->shape, *node.output()->shape);
    if (!target) return false;
    Value* shape = graph.AddConstant(node.output()->name + "_shape", Tensor::Int64s(*target));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kReshape, {data, shape}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kReshape, OpKind::kFlatten, OpKind::kSqueeze, OpKind::kUnsqueeze};
};

class InlineIfRule final : public Rule {
 public:
  std::string_view name() const override { return "inline-if"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Tensor* condition = node.constant(0);
    if (condition == nullptr || condition->size() != 1) return false;
    const Graph* branch = node.attributes.Subgraph(condition->ToInt64s()[0] != 0 ? "then_branch" : "else_branch");
    if (branch == nullptr || !branch->inputs().empty()) return false;
    for (const auto& inner : branch->nodes()) {
      // Graphs within graphs capture by pointer; they stay where they are.
      for (const auto& [name, attribute] : inner->attributes.all()) {
        if (std::holds_alternative<std::shared_ptr<Graph>>(attribute)) return false;
      }
    }
    absl::flat_hash_map<const Value*, Value*> copies;
    for (const Value* value : branch->values()) {
      if (value->IsConstant()) copies[value] = graph.AddConstant(value->name, *value->constant);
    }
    const auto copy_of = [&](Value* value) {
      const auto found = copies.find(value);
      return found != copies.end() ? found->second : value;  // of an enclosing graph
    };
    for (const auto& inner : branch->nodes()) {
      std::vector<Value*> inputs;
      for (Value* input : inner->inputs) inputs.push_back(input != nullptr ? copy_of(input) : nullptr);
      std::vector<std::string> names;
      for (const Value* output : inner->outputs) names.push_back(output != nullptr ? output->name : "");
      Node* added = graph.AddNode(inner->kind, std::move(inputs), std::move(names), inner->attributes, &node);
      added->name = inner->name;
      for (size_t i = 0; i < inner->outputs.size(); ++i) {
        if (inner->outputs[i] == nullptr) continue;
        copies[inner->outputs[i]] = added->outputs[i];
        added->outputs[i]->origin = inner->outputs[i]->origin;
      }
      RETURN_IF_ERROR(InferNode(*added));
    }
    // The If's outputs keep their names: an Identity stands for each until remove-identities takes it.
    std::vector<std::pair<Value*, std::string>> renames;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Value* output = node.outputs[i];
      if (output == nullptr) continue;
      ASSIGN_OR_RETURN(Node* const identity,
                       AddInferred(graph, OpKind::kIdentity, {copy_of(branch->outputs()[i])}, "", {}, &node));
      identity->output()->origin = output->origin;
      graph.ReplaceUses(output, identity->output());
      renames.emplace_back(identity->output(), output->name);
    }
    graph.RemoveNode(&node);
    for (auto& [value, name] : renames) graph.Rename(value, std::move(name));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kIf};
};

}  // namespace

std::unique_ptr<Rule> MergeTransposes() { return std::make_unique<MergeTransposesRule>(); }
std::unique_ptr<Rule> MergeReshapes() { return std::make_unique<MergeReshapesRule>(); }
std::unique_ptr<Rule> InlineIf() { return std::make_unique<InlineIfRule>(); }

}  // namespace slipway::fold
