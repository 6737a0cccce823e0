#include <algorithm>

#include "common/base/error.h"
#include "convert/evaluate/evaluate.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/shapes.h"

namespace slipway::fold {
namespace {

// What may grow: results up to this, or twice their operands. A ConstantOfShape or Tile of megabytes stays a node.
constexpr int64_t kFreeBytes = 1 << 16;
// And of all results together: a chain of Concats of a value with itself doubles at every node.
constexpr int64_t kMaxFoldedBytes = int64_t{512} << 20;

// How much more the graph's constants hold once `results` stand for `node`: what only it reads goes. What keeps the elements of the one
// constant that goes (a Cast of half weights) is free, as large as it may be.
int64_t AddedBytes(const Node& node, const std::vector<Tensor>& results) {
  int64_t added = 0;
  for (const Tensor& result : results) added += static_cast<int64_t>(result.bytes().size());
  for (const Value* input : node.inputs) {
    if (input == nullptr || input->uses.size() != 1 || node.graph->IsOutput(input)) continue;
    if (node.kind == OpKind::kCast) return 0;
    added -= static_cast<int64_t>(input->constant->bytes().size());
  }
  return std::max<int64_t>(0, added);
}

class FoldConstantsRule final : public Rule {
 public:
  FoldConstantsRule() {
    for (int kind = 0; kind < static_cast<int>(OpKind::kCount); ++kind) {
      if (CanEvaluate(static_cast<OpKind>(kind))) kinds_.push_back(static_cast<OpKind>(kind));
    }
  }
  std::string_view name() const override { return "fold-constants"; }
  std::span<const OpKind> kinds() const override { return kinds_; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    std::vector<Tensor> inputs;
    int64_t bytes = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Tensor* constant = node.constant(i);
      if (node.inputs[i] != nullptr && constant == nullptr) return false;
      inputs.push_back(constant != nullptr ? *constant : Tensor());
      bytes += static_cast<int64_t>(inputs.back().bytes().size());
    }
    for (const Value* output : node.outputs) {
      if (output != nullptr && output->quantization) return false;
    }
    Graph* whole = &graph;
    while (whole->parent != nullptr) whole = whole->parent;
    const int64_t left = kMaxFoldedBytes - whole->folded_bytes;
    int64_t most = std::max(kFreeBytes, 2 * bytes);
    if (node.kind != OpKind::kCast) most = std::min(most, bytes + left);  // nothing vast is made to be thrown away
    const absl::StatusOr<std::vector<Tensor>> results = EvaluateNode(node, inputs, most);
    if (!results.ok()) return false;  // it stays a node; what is wrong with it, its reader will say
    const int64_t added = AddedBytes(node, *results);
    if (added > left) return false;
    whole->folded_bytes += added;
    const std::vector<Value*> outputs = node.outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != nullptr) graph.MakeConstant(outputs[i], (*results)[i]);
    }
    graph.RemoveNode(&node);
    return true;
  }

 private:
  std::vector<OpKind> kinds_;
};

constexpr OpKind kShapeArithmetic[] = {OpKind::kShape, OpKind::kSize,       OpKind::kGather,  OpKind::kConcat,
                                       OpKind::kSlice, OpKind::kAdd,        OpKind::kSub,     OpKind::kMul,
                                       OpKind::kDiv,   OpKind::kMod,        OpKind::kMin,     OpKind::kMax,
                                       OpKind::kEqual, OpKind::kWhere,      OpKind::kSqueeze, OpKind::kUnsqueeze,
                                       OpKind::kCast,  OpKind::kReduceProd, OpKind::kFloor,   OpKind::kCeil};

class FoldShapeArithmeticRule final : public Rule {
 public:
  std::string_view name() const override { return "fold-shape-arithmetic"; }
  std::span<const OpKind> kinds() const override { return kShapeArithmetic; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* output = node.output();
    if (output == nullptr || node.outputs.size() != 1 || output->rank() < 0 || output->rank() > 1) return false;
    if (!IsInteger(output->type) && !IsFloat(output->type) && output->type != DataType::kBool) return false;
    const std::optional<std::vector<int64_t>> shape = StaticShape(*output->shape);
    if (!shape) return false;
    const std::optional<std::vector<Dim>> values = ShapeValue(*output);
    if (!values || static_cast<int64_t>(values->size()) != ElementCount(*shape)) return false;
    const std::optional<std::vector<int64_t>> numbers = StaticShape(*values);
    if (!numbers) return false;
    const Tensor tensor = Tensor::From<int64_t>(*shape, *numbers).Cast(output->type);
    graph.MakeConstant(output, tensor);
    graph.RemoveNode(&node);
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> FoldConstants() { return std::make_unique<FoldConstantsRule>(); }
std::unique_ptr<Rule> FoldShapeArithmetic() { return std::make_unique<FoldShapeArithmeticRule>(); }

}  // namespace slipway::fold
