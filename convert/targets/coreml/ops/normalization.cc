#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

absl::Status NeedConstants(const Node& node, size_t first) {
  for (size_t i = first; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != nullptr && node.constant(i) == nullptr) {
      return Unsupported(node, fmt::format("its parameter '{}' is computed", node.inputs[i]->name),
                         "give it as a constant");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBatchNorm(const Node& node) {
  if (node.input(0)->rank() < 3)
    return Unsupported(node, "batch_norm takes 3 to 5 axes", "rule decompose-batch-norm makes Mul and Add of it");
  return NeedConstants(node, 1);
}

void BatchNorm(const Node& node, Program& out) {
  out.Emit(node, "batch_norm",
           {{"x", {out.Operand(node, 0)}},
            {"mean", {out.Operand(node, 3)}},
            {"variance", {out.Operand(node, 4)}},
            {"gamma", {out.Operand(node, 1)}},
            {"beta", {out.Operand(node, 2)}},
            {"epsilon", {out.Float(node.attributes.Float("epsilon", 1e-5f))}}});
}

absl::Status CheckInstanceNorm(const Node& node) {
  if (node.input(0)->rank() < 3 || node.input(0)->rank() > 4)
    return Unsupported(node, "instance_norm takes 3 or 4 axes", "rule decompose-instance-norm");
  return NeedConstants(node, 1);
}

void InstanceNorm(const Node& node, Program& out) {
  out.Emit(node, "instance_norm",
           {{"x", {out.Operand(node, 0)}},
            {"gamma", {out.Operand(node, 1)}},
            {"beta", {out.Operand(node, 2)}},
            {"epsilon", {out.Float(node.attributes.Float("epsilon", 1e-5f))}}});
}

int64_t FirstAxis(const Node& node) {
  const int64_t axis = node.attributes.Int("axis", -1);
  return axis < 0 ? axis + node.input(0)->rank() : axis;
}

// gamma and beta have exactly the normalised axes.
absl::Status CheckLayerNorm(const Node& node) {
  RETURN_IF_ERROR(NeedConstants(node, 1));
  for (size_t i : {1, 2}) {
    if (node.constant(i) == nullptr) continue;
    Shape over(node.input(0)->shape->begin() + FirstAxis(node), node.input(0)->shape->end());
    if (ToShape(node.constant(i)->shape()) != over) {
      return Unsupported(node, fmt::format("its parameter {} does not have the size of the normalised axes", i),
                         "rule decompose-layer-norm");
    }
  }
  return absl::OkStatus();
}

void LayerNorm(const Node& node, Program& out) {
  std::vector<int64_t> axes;
  for (int64_t axis = FirstAxis(node); axis < node.input(0)->rank(); ++axis) axes.push_back(axis);
  Arguments arguments = {{"x", {out.Operand(node, 0)}}, {"axes", {out.Ints(axes)}}, {"gamma", {out.Operand(node, 1)}}};
  if (node.input(2) != nullptr) arguments.emplace_back("beta", std::vector{out.Operand(node, 2)});
  arguments.emplace_back("epsilon", std::vector{out.Float(node.attributes.Float("epsilon", 1e-5f))});
  out.Emit(node, "layer_norm", std::move(arguments));
}

absl::Status CheckLrn(const Node& node) {
  if (node.input(0)->rank() < 3 || node.input(0)->rank() > 4)
    return Unsupported(node, "local_response_norm takes 3 or 4 axes", "");
  if (node.attributes.Int("size", 1) % 2 == 0)
    return Unsupported(node, "an even number of channels is not centred alike everywhere", "use an odd size");
  return absl::OkStatus();
}

void Lrn(const Node& node, Program& out) {
  out.Emit(node, "local_response_norm",
           {{"x", {out.Operand(node, 0)}},
            {"size", {out.Int(node.attributes.Int("size", 1))}},
            {"alpha", {out.Float(node.attributes.Float("alpha", 1e-4f))}},
            {"beta", {out.Float(node.attributes.Float("beta", 0.75f))}},
            {"k", {out.Float(node.attributes.Float("bias", 1))}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kBatchNormalization, BatchNorm, CheckBatchNorm},
    {OpKind::kInstanceNormalization, InstanceNorm, CheckInstanceNorm},
    {OpKind::kLayerNormalization, LayerNorm, CheckLayerNorm},
    {OpKind::kLRN, Lrn, CheckLrn},
};

}  // namespace

std::span<const OpEmitter> NormalizationEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
