// Slices to the end, said by a number that is only large: tf2onnx writes 10^9 where TensorFlow's mask leaves the end out.
#include "common/base/error.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::fold {
namespace {

constexpr int64_t kBeyondAnySize = 1'000'000'000;

class OpenSliceEnds final : public Rule {
 public:
  std::string_view name() const override { return "open-slice-ends"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& slice) const override {
    const Tensor *ends = slice.constant(2), *steps = slice.constant(4);
    if (ends == nullptr || !IsInteger(ends->type()) || (slice.input(4) != nullptr && steps == nullptr)) return false;
    std::vector<int64_t> open = ends->ToInt64s();
    bool changed = false;
    for (size_t i = 0; i < open.size(); ++i) {
      if (open[i] < kBeyondAnySize || open[i] == INT64_MAX) continue;
      if (steps != nullptr && (steps->size() != ends->size() || steps->ToInt64s()[i] < 1)) continue;
      open[i] = INT64_MAX;
      changed = true;
    }
    if (!changed) return false;
    // Bounds are of one type.
    for (const size_t other : {1, 3, 4}) {
      if (slice.input(other) != nullptr && slice.input(other)->type != DataType::kInt64 &&
          slice.constant(other) == nullptr)
        return false;
    }
    for (const size_t other : {1, 3, 4}) {
      if (const Tensor* numbers = slice.constant(other); numbers != nullptr && numbers->type() != DataType::kInt64)
        graph.SetInput(&slice, other, graph.AddConstant(slice.input(other)->name, numbers->Cast(DataType::kInt64)));
    }
    graph.SetInput(&slice, 2, graph.AddConstant(slice.input(2)->name + "_open", Tensor::Int64s(open)));
    RETURN_IF_ERROR(InferNode(slice));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kSlice};
};

}  // namespace

std::unique_ptr<Rule> OpenEnds() { return std::make_unique<OpenSliceEnds>(); }

}  // namespace slipway::fold
