// FULLY_CONNECTED (weights [out, in]), BATCH_MATMUL.
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

absl::Status CheckGemm(const Node& node) {
  RETURN_IF_ERROR(CheckConstant(node, 1, "weights"));
  RETURN_IF_ERROR(CheckConstant(node, 2, "a bias"));
  const Tensor* bias = node.constant(2);
  const int64_t channels = node.constant(1)->shape()[node.attributes.Int("transB", 0) != 0 ? 0 : 1];
  if (node.attributes.Int("transA", 0) != 0 || node.attributes.Float("alpha", 1) != 1 ||
      node.attributes.Float("beta", 1) != 1 || (bias != nullptr && (bias->rank() != 1 || bias->size() != channels)) ||
      node.input(0)->type != DataType::kFloat32) {
    return Unsupported(node, "a product that FULLY_CONNECTED cannot say",
                       "rule gemm-to-fully-connected brings it to form");
  }
  if (!FusedActivation(node)) return Unsupported(node, "an activation that no operator fuses", "");
  return absl::OkStatus();
}

void EmitFullyConnected(const Node& node, ModelBuilder& out, bool keep_dims) {
  const bool transposed = node.kind == OpKind::kGemm && node.attributes.Int("transB", 0) != 0;
  const int32_t weights = out.Weights(node.input(1), transposed ? std::vector<int64_t>{} : std::vector<int64_t>{1, 0});
  const int64_t channels = node.constant(1)->shape()[transposed ? 0 : 1];
  const int32_t bias = node.input(2) != nullptr ? out.Value(node.input(2))
                                                : out.Constant(node.output()->name + "/bias",
                                                               Tensor::Allocate(DataType::kFloat32, {channels}).first);
  const schema::ActivationFunctionType activation = *FusedActivation(node);
  out.OpWith<schema::FullyConnectedOptions>(schema::BuiltinOperator::FULLY_CONNECTED,
                                            {out.Value(node.input(0)), weights, bias}, {out.Value(node.output())},
                                            keep_dims ? 5 : 1, [=](auto& options) {
                                              options.add_keep_num_dims(keep_dims);
                                              options.add_fused_activation_function(activation);
                                            });
}

void EmitGemm(const Node& node, ModelBuilder& out) { EmitFullyConnected(node, out, false); }

bool IsFullyConnected(const Node& node) {
  return node.constant(1) != nullptr && node.input(1)->rank() == 2 && node.input(0)->rank() >= 2 &&
         node.input(0)->type == DataType::kFloat32;
}

absl::Status CheckMatMul(const Node& node) {
  if (node.input(0)->type != DataType::kFloat32)
    return Unsupported(node, fmt::format("a product of {}", Name(node.input(0)->type)), "");
  for (const Value* input : node.inputs) {
    RETURN_IF_ERROR(CheckRank(node, input, 5));
    if (input->rank() < 2) return Unsupported(node, "a vector operand", "rule matmul-vectors gives it a second axis");
  }
  if (!FusedActivation(node)) return Unsupported(node, "an activation that no operator fuses", "");
  return absl::OkStatus();
}

void EmitMatMul(const Node& node, ModelBuilder& out) {
  if (IsFullyConnected(node)) return EmitFullyConnected(node, out, true);
  out.OpWith<schema::BatchMatMulOptions>(schema::BuiltinOperator::BATCH_MATMUL,
                                         {out.Value(node.input(0)), out.Value(node.input(1))},
                                         {out.Value(node.output())}, 1, [](auto&) {});
}

constexpr OpEntry kEntries[] = {{OpKind::kGemm, CheckGemm, EmitGemm}, {OpKind::kMatMul, CheckMatMul, EmitMatMul}};

}  // namespace

std::span<const OpEntry> GemmOps() { return kEntries; }

}  // namespace slipway::tflite
