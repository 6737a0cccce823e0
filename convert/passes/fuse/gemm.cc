#include "common/base/error.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"

namespace slipway::fuse {
namespace {

bool IsFloatMatrix(const Value* value) { return value != nullptr && value->rank() == 2 && IsFloat(value->type); }

// MatMul of two matrices, the second constant, then Add of a constant row. A MatMul alone becomes a Gemm without C, which a later
// Add joins (fuse-channel-scale).
class MatMulAddToGemmRule final : public Rule {
 public:
  std::string_view name() const override { return "matmul-to-gemm"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (!IsFloatMatrix(node.input(0)) || !IsFloatMatrix(node.input(1)) || node.constant(1) == nullptr ||
        node.constant(0) != nullptr)
      return false;
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kGemm, {node.input(0), node.input(1)}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kMatMul};
};

}  // namespace

std::unique_ptr<Rule> MatMulAddToGemm() { return std::make_unique<MatMulAddToGemmRule>(); }

}  // namespace slipway::fuse
