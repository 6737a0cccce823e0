#include "convert/passes/merge_axes.h"

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

class MergeTransposedAxes final : public Rule {
 public:
  explicit MergeTransposedAxes(int64_t most) : most_(most) {}
  std::string_view name() const override { return "merge-transposed-axes"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& transpose) const override {
    Value* x = transpose.input(0);
    const std::vector<int64_t> perm = PermOf(transpose);
    if (!x->shape || x->rank() <= most_ || perm.empty() || !transpose.output()->shape) return false;
    const Shape &in = *x->shape, &out = *transpose.output()->shape;
    // The result's axes in runs that are neighbours of the data; axes of 1 belong to no run.
    std::vector<std::vector<int64_t>> runs;
    for (const int64_t axis : perm) {
      if (in[static_cast<size_t>(axis)] == Dim(1)) continue;
      if (!runs.empty() && Next(in, runs.back().back()) == axis) {
        runs.back().push_back(axis);
      } else {
        runs.push_back({axis});
      }
    }
    if (runs.empty() || static_cast<int64_t>(runs.size()) > most_) return false;
    // The runs in the data's order.
    std::vector<size_t> order;
    for (int64_t axis = 0; axis < x->rank(); ++axis) {
      for (size_t run = 0; run < runs.size(); ++run) {
        if (runs[run].front() == axis) order.push_back(run);
      }
    }
    Shape merged;
    std::vector<int64_t> merged_perm(runs.size());
    for (const size_t run : order) {
      merged_perm[run] = static_cast<int64_t>(merged.size());
      Dim size(1);
      for (const int64_t axis : runs[run]) size = size * in[static_cast<size_t>(axis)];
      merged.push_back(size);
    }
    Shape moved;
    for (const int64_t axis : merged_perm) moved.push_back(merged[static_cast<size_t>(axis)]);
    const auto before = ReshapeTarget(in, merged), after = ReshapeTarget(moved, out);
    if (!before || !after) return false;
    const std::string name = transpose.output()->name;
    Value* target = graph.AddConstant(name + "/merged_shape", Tensor::Int64s(*before));
    ASSIGN_OR_RETURN(Node* const reshape,
                     AddInferred(graph, OpKind::kReshape, {x, target}, name + "/merged", {}, &transpose));
    Attributes attributes;
    attributes.Set("perm", merged_perm);
    ASSIGN_OR_RETURN(Node* const few, AddInferred(graph, OpKind::kTranspose, {reshape->output()}, name + "/moved",
                                                  std::move(attributes), &transpose));
    Value* back = graph.AddConstant(name + "/shape", Tensor::Int64s(*after));
    RETURN_IF_ERROR(Rewrite(graph, transpose, OpKind::kReshape, {few->output(), back}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kTranspose};

  // The next axis of the data that is not of size 1.
  static int64_t Next(const Shape& shape, int64_t axis) {
    for (++axis; axis < static_cast<int64_t>(shape.size()) && shape[static_cast<size_t>(axis)] == Dim(1);) ++axis;
    return axis;
  }

  const int64_t most_;
};

}  // namespace

std::unique_ptr<Rule> MakeMergeTransposedAxes(int64_t most) { return std::make_unique<MergeTransposedAxes>(most); }

}  // namespace slipway
