#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

bool Fuses(OpKind kind) {
  return kind == kConv || kind == kGemm || kind == kAdd || kind == kSub || kind == kMul || kind == kDiv;
}

// Conv, Gemm and arithmetic apply RELU, RELU6 or RELU_N1_TO_1 to their results themselves.
absl::StatusOr<bool> FuseActivation(Graph& graph, Node& node) {
  Value* data = node.input(0);
  if (data->producer == nullptr || data->type != DataType::kFloat32 || !Fuses(data->producer->kind)) return false;
  Node* producer = SoleProducer(graph, data, data->producer->kind);
  if (producer == nullptr || producer->attributes.Has("activation")) return false;
  Attributes attributes = producer->attributes;
  if (node.kind == kRelu) {
    attributes.Set("activation", std::string("Relu"));
  } else {
    const std::optional<double> low = ScalarOf(node.input(1)), high = ScalarOf(node.input(2));
    if (!low || !high || !((*low == 0 && *high == 6) || (*low == -1 && *high == 1))) return false;
    attributes.Set("activation", std::string("Clip"));
    attributes.Set("activation_min", static_cast<float>(*low));
    attributes.Set("activation_max", static_cast<float>(*high));
  }
  const std::vector<Value*> inputs = producer->inputs;
  const OpKind kind = producer->kind;
  const std::string name = producer->name;
  RETURN_IF_ERROR(Rewrite(graph, node, kind, inputs, std::move(attributes)));
  node.name = name;
  graph.RemoveNode(producer);
  return true;
}

}  // namespace

void AddFusionRules(Rules& rules) { rules.push_back(MakeRule("fuse-activation", {kRelu, kClip}, FuseActivation)); }

}  // namespace slipway::tflite
