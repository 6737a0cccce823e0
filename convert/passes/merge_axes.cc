#include "convert/passes/merge_axes.h"

#include <algorithm>
#include <numeric>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

// A Transpose on the way to being others: data of `from` read as `merged`, then its axes in the order `perm`.
struct Step {
  Shape from, merged;
  std::vector<int64_t> perm;
  Shape moved() const {
    Shape shape;
    for (const int64_t axis : perm) shape.push_back(merged[static_cast<size_t>(axis)]);
    return shape;
  }
};

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
    const std::vector<Run> runs = RunsOf(in, perm);
    if (runs.empty()) return false;
    const std::vector<Step> steps =
        static_cast<int64_t>(runs.size()) <= most_ ? std::vector{Whole(in, runs)} : Exchanges(in, runs);
    std::vector<std::vector<int64_t>> targets;
    for (const Step& step : steps) {
      const auto target = ReshapeTarget(step.from, step.merged);
      if (!target) return false;
      targets.push_back(*target);
    }
    const auto last = ReshapeTarget(steps.back().moved(), out);
    if (!last) return false;
    const std::string name = transpose.output()->name;
    for (size_t i = 0; i < steps.size(); ++i) {
      Value* target = graph.AddConstant(name + "/merged_shape", Tensor::Int64s(targets[i]));
      ASSIGN_OR_RETURN(Node* const reshape,
                       AddInferred(graph, OpKind::kReshape, {x, target}, name + "/merged", {}, &transpose));
      Attributes attributes;
      attributes.Set("perm", steps[i].perm);
      ASSIGN_OR_RETURN(Node* const few, AddInferred(graph, OpKind::kTranspose, {reshape->output()}, name + "/moved",
                                                    std::move(attributes), &transpose));
      x = few->output();
    }
    RETURN_IF_ERROR(Rewrite(graph, transpose, OpKind::kReshape,
                            {x, graph.AddConstant(name + "/shape", Tensor::Int64s(*last))}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kTranspose};

  struct Run {
    int64_t first;  // axis of the data
    Dim size;
  };

  // The result's axes in runs that are neighbours of the data, in the result's order; axes of 1 belong to no run.
  static std::vector<Run> RunsOf(const Shape& in, const std::vector<int64_t>& perm) {
    std::vector<Run> runs;
    int64_t last = -1;
    for (const int64_t axis : perm) {
      const Dim& size = in[static_cast<size_t>(axis)];
      if (size == Dim(1)) continue;
      if (!runs.empty() && Next(in, last) == axis) {
        runs.back().size = runs.back().size * size;
      } else {
        runs.push_back({axis, size});
      }
      last = axis;
    }
    return runs;
  }

  // The next axis of the data that is not of size 1.
  static int64_t Next(const Shape& shape, int64_t axis) {
    for (++axis; axis < static_cast<int64_t>(shape.size()) && shape[static_cast<size_t>(axis)] == Dim(1);) ++axis;
    return axis;
  }

  // Which run of the result stands at each place of the data.
  static std::vector<size_t> InTheData(const std::vector<Run>& runs) {
    std::vector<size_t> order(runs.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, {}, [&](size_t run) { return runs[run].first; });
    return order;
  }

  static Step Whole(const Shape& in, const std::vector<Run>& runs) {
    Step step{in, {}, std::vector<int64_t>(runs.size())};
    for (const size_t run : InTheData(runs)) {
      step.perm[run] = static_cast<int64_t>(step.merged.size());
      step.merged.push_back(runs[run].size);
    }
    return step;
  }

  // Neighbouring blocks change places until every run stands where the result has it; four axes are enough for each.
  static std::vector<Step> Exchanges(const Shape& in, const std::vector<Run>& runs) {
    std::vector<size_t> order = InTheData(runs);
    std::vector<Step> steps;
    Shape from = in;
    for (size_t place = 0; place < order.size(); ++place) {
      if (order[place] == place) continue;
      const auto at = static_cast<size_t>(std::ranges::find(order, place) - order.begin());
      size_t end = at + 1;  // runs behind it that come along
      while (end < order.size() && order[end] == place + (end - at)) ++end;
      Step step{from, {}, {}};
      for (const auto& [begin, until] : {std::pair{size_t{0}, place}, {place, at}, {at, end}, {end, order.size()}}) {
        if (begin == until) continue;
        Dim size(1);
        for (size_t i = begin; i < until; ++i) size = size * runs[order[i]].size;
        step.merged.push_back(size);
        step.perm.push_back(static_cast<int64_t>(step.perm.size()));
      }
      const size_t first = place == 0 ? 0 : 1;
      std::swap(step.perm[first], step.perm[first + 1]);
      std::rotate(order.begin() + static_cast<int64_t>(place), order.begin() + static_cast<int64_t>(at),
                  order.begin() + static_cast<int64_t>(end));
      from = step.moved();
      steps.push_back(std::move(step));
    }
    return steps;
  }

  const int64_t most_;
};

class ReduceByRuns final : public Rule {
 public:
  explicit ReduceByRuns(int64_t most) : most_(most) {}
  std::string_view name() const override { return "reduce-by-runs"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& reduce) const override {
    Value* x = reduce.input(0);
    const Tensor* given = reduce.constant(1);
    if (x->rank() <= most_ || given == nullptr || given->size() == 0 || !reduce.output()->shape) return false;
    std::vector<bool> reduced(x->shape->size(), false);
    for (const int64_t axis : given->ToInt64s())
      reduced[static_cast<size_t>(axis < 0 ? axis + x->rank() : axis)] = true;
    // All sizes first: nothing is changed where a Reshape cannot tell one.
    Shape shape = *x->shape;
    std::vector<std::vector<int64_t>> targets;
    Shape from = shape;
    for (size_t end = shape.size(); end > 0;) {
      if (!reduced[end - 1]) {
        --end;
        continue;
      }
      size_t begin = end;
      while (begin > 0 && reduced[begin - 1]) --begin;
      Shape view(3, Dim(1));
      for (size_t i = 0; i < shape.size(); ++i) {
        Dim& size = view[i < begin ? 0 : i < end ? 1 : 2];
        size = size * shape[i];
      }
      const auto target = ReshapeTarget(from, view);
      if (!target) return false;
      targets.push_back(*target);
      for (size_t i = begin; i < end; ++i) shape[i] = Dim(1);
      from = {view[0], view[2]};
      end = begin;
    }
    const auto last = ReshapeTarget(from, *reduce.output()->shape);
    if (!last) return false;
    Steps s(graph, reduce);
    for (const std::vector<int64_t>& target : targets)
      x = s.Op(reduce.kind, {s.Reshape(x, target), s.Ints({1})}, Steps::With("keepdims", int64_t{0}));
    return s.Become(OpKind::kReshape, {x, s.Ints(*last)});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kReduceMean, OpKind::kReduceSum, OpKind::kReduceMax, OpKind::kReduceMin};
  const int64_t most_;
};

}  // namespace

std::unique_ptr<Rule> MakeReduceByRuns(int64_t most) { return std::make_unique<ReduceByRuns>(most); }
std::unique_ptr<Rule> MakeMergeTransposedAxes(int64_t most) { return std::make_unique<MergeTransposedAxes>(most); }

}  // namespace slipway
