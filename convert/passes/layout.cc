#include "convert/passes/layout/layout.h"

#include <array>

#include "common/base/error.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/layout/layout.h"
#include "convert/passes/match.h"
#include "convert/passes/passes.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace layout {
namespace {

using SinkTable = std::array<SinkFunction, static_cast<size_t>(OpKind::kCount)>;

const SinkTable& Sinks() {
  static const SinkTable table = [] {
    SinkTable sinks{};
    for (const std::span<const SinkEntry> family : {ElementwiseSinks(), AxisSinks(), ReshapeSinks()}) {
      for (const SinkEntry& entry : family) sinks[static_cast<size_t>(entry.kind)] = entry.sink;
    }
    return sinks;
  }();
  return table;
}

class SinkTransposeRule final : public Rule {
 public:
  SinkTransposeRule() {
    for (size_t kind = 0; kind < Sinks().size(); ++kind) {
      if (Sinks()[kind] != nullptr) kinds_.push_back(static_cast<OpKind>(kind));
    }
  }
  std::string_view name() const override { return "sink-transpose"; }
  std::span<const OpKind> kinds() const override { return kinds_; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    // Data may stand at any input of an op that broadcasts, at the first of others.
    for (const Value* input : node.inputs) {
      const Node* transpose = ProducerOf(input, OpKind::kTranspose);
      if (transpose == nullptr || transpose->graph != &graph || IsAtInput(*transpose)) continue;
      const std::vector<int64_t> perm = PermOf(*transpose);
      const bool first = input == node.input(0);
      const bool broadcasts = node.inputs.size() > 1 && (IsBroadcast(node.kind) || node.kind == OpKind::kConcat);
      if (perm.empty() || IsIdentityPerm(perm) || (!first && !broadcasts)) continue;
      ASSIGN_OR_RETURN(const bool sunk, SinkOf(node.kind)(graph, node, perm));
      if (sunk) return true;
    }
    return false;
  }

 private:
  static bool IsBroadcast(OpKind kind) { return kind >= OpKind::kAdd && kind <= OpKind::kWhere; }

  std::vector<OpKind> kinds_;
};

// Data axes of NCHW in the order NHWC (any rank), and back.
std::vector<int64_t> ToChannelsLast(int64_t rank) {
  std::vector<int64_t> perm = {0};
  for (int64_t i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return perm;
}

bool HasDataLayout(const Node& node) {
  switch (node.kind) {
    case OpKind::kConv:
    case OpKind::kConvTranspose:
    case OpKind::kMaxPool:
    case OpKind::kAveragePool:
    case OpKind::kGlobalAveragePool:
    case OpKind::kGlobalMaxPool:
      return node.input(0)->rank() >= 3;
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth:
    case OpKind::kResize:
      return node.input(0)->rank() == 4;
    default:
      return false;
  }
}

absl::StatusOr<bool> SetChannelsLast(Graph& graph) {
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) {
    if (!HasDataLayout(*node) || node->attributes.String("data_layout", "NCHW") == "NHWC") continue;
    if (node->output() == nullptr || node->output(1) != nullptr) continue;  // MaxPool's indices count elements of NCHW
    nodes.push_back(node.get());
  }
  for (Node* node : nodes) {
    const std::vector<int64_t> perm = ToChannelsLast(node->input(0)->rank());
    ASSIGN_OR_RETURN(Value* const data, TransposedBefore(graph, node->input(0), perm, node));
    graph.SetInput(node, 0, data);
    node->attributes.Set("data_layout", std::string("NHWC"));
    RETURN_IF_ERROR(InferNode(*node));
    RETURN_IF_ERROR(TransposeAfter(graph, *node, 0, Inverse(perm)));
  }
  return !nodes.empty();
}

class ChannelsLast final : public Pass {
 public:
  ChannelsLast() {
    rules_.push_back(fold::RemoveIdentities());
    rules_.push_back(fold::FoldConstants());
    rules_.push_back(fold::MergeTransposes());
    rules_.push_back(fold::MergeReshapes());
    rules_.push_back(SinkTranspose());
    rules_.push_back(RaiseTranspose());
    rules_.push_back(AbsorbTransposeIntoGemm());
    // Last: what could still move as a Transpose has moved.
    reshapes_.push_back(fold::RemoveIdentities());
    reshapes_.push_back(fold::MergeTransposes());
    reshapes_.push_back(fold::MergeReshapes());
    reshapes_.push_back(TransposeToReshape());
    reshapes_.push_back(AbsorbTransposeIntoGemm());
  }
  std::string_view name() const override { return "channels-last"; }
  absl::StatusOr<bool> Run(Graph& graph) const override {
    ASSIGN_OR_RETURN(bool changed, SetChannelsLast(graph));
    const std::unique_ptr<Pass> dead = MakeRemoveDead();
    for (const auto* rules : {&rules_, &reshapes_, &rules_}) {
      ASSIGN_OR_RETURN(const bool moved, ApplyRules(graph, *rules));
      changed |= moved;
      RETURN_IF_ERROR(dead->Run(graph).status());
    }
    return changed;
  }

 private:
  std::vector<std::unique_ptr<Rule>> rules_, reshapes_;
};

}  // namespace

SinkFunction SinkOf(OpKind kind) { return Sinks()[static_cast<size_t>(kind)]; }

std::unique_ptr<Rule> SinkTranspose() { return std::make_unique<SinkTransposeRule>(); }

}  // namespace layout

std::unique_ptr<Pass> MakeChannelsLast() { return std::make_unique<layout::ChannelsLast>(); }

}  // namespace slipway
