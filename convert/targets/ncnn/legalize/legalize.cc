#include "convert/targets/ncnn/legalize/legalize.h"

#include <map>
#include <set>
#include <string>

#include "common/base/error.h"
#include "convert/passes/convolve_by_product.h"
#include "convert/passes/dilated_pool.h"
#include "convert/passes/einsum.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/gather_indices.h"
#include "convert/passes/merge_axes.h"
#include "convert/passes/merge_neighbours.h"
#include "convert/passes/negative_pads.h"
#include "convert/passes/passes.h"
#include "convert/passes/pick_by_comparison.h"
#include "convert/passes/pixel_unshuffle.h"
#include "convert/passes/pool_indices.h"
#include "convert/passes/scatter_box.h"
#include "convert/passes/slice_early.h"
#include "convert/passes/triangle.h"
#include "convert/passes/unroll_recurrent.h"
#include "convert/passes/widen_floats.h"
#include "convert/passes/wrap_pads.h"
#include "convert/targets/ncnn/ops/ops.h"

namespace slipway::ncnn {
namespace {

// Each InnerProduct has its own weights, also where steps of a recurrent op repeat them: 256 MB.
constexpr int64_t kMostRepeatedWeights = int64_t{1} << 26;

// The numbers of steps that recurrent ops go through.
std::set<std::string> Steps(const Graph& graph) {
  std::vector<std::string> steps;
  for (const auto& node : graph.nodes()) {
    if ((node->kind == OpKind::kLSTM || node->kind == OpKind::kGRU || node->kind == OpKind::kRNN) &&
        node->input(0)->rank() == 3)
      node->input(0)->shape->front().CollectSymbols(steps);
  }
  return {steps.begin(), steps.end()};
}

// An NCNN blob holds one sample: a batch left open becomes 1. Inputs begin with their batch, but for sequences.
absl::Status BindBatch(Graph& graph) {
  std::map<std::string, int64_t> batch;
  const std::set<std::string> steps = Steps(graph);
  for (const Value* input : graph.inputs()) {
    if (input->rank() < 2) continue;
    std::vector<std::string> symbols;
    const Dim& dim = input->shape->front();
    dim.CollectSymbols(symbols);
    if (symbols.size() == 1 && dim == Dim::Symbol(symbols.front()) && !steps.contains(symbols.front()))
      batch.emplace(symbols.front(), 1);
  }
  if (batch.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(BindSymbols(graph, batch));
  return Simplify(graph);
}

// First of all: what else reads an input decides how a table does.
absl::Status LeadInputsToTables(Graph& graph) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeEmbedInput());
  ASSIGN_OR_RETURN(const bool changed, ApplyRules(graph, rules));
  return changed ? MakeRemoveDead()->Run(graph).status() : absl::OkStatus();
}

}  // namespace

absl::Status Legalize(Graph& graph) {
  RETURN_IF_ERROR(WidenFloats(graph));
  RETURN_IF_ERROR(BindBatch(graph));
  RETURN_IF_ERROR(LeadInputsToTables(graph));
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeLowerGemm());
  rules.push_back(MakeSplitPadFromPool());
  rules.push_back(MakePoolIndicesByComparison());
  rules.push_back(MakeConvolveByProduct());
  rules.push_back(MakeSliceDilatedPool());
  rules.push_back(MakeUnshuffleByConvolution());
  rules.push_back(MakeScatterBoxByConcat());
  rules.push_back(MakeUnrollRecurrent(kMostRepeatedWeights, IsRecurrentLayer));
  rules.push_back(MakeSliceBeforeMove(4));
  rules.push_back(MakeCropBySlice());
  rules.push_back(MakeWrapBySlices());
  rules.push_back(MakeMergeTransposedAxes(4));
  rules.push_back(MakeReduceByRuns(4));
  rules.push_back(MakeMergeNeighbours(4, true));
  rules.push_back(MakeFlattenGatherNd());
  rules.push_back(MakePickByComparison());
  rules.push_back(MakeScatterRowsByProduct());
  rules.push_back(MakeTakeFromEnd());
  rules.push_back(MakeGatherByFlatIndex());
  rules.push_back(MakeGatherByProduct());
  rules.push_back(MakeComputeWholeNumbers());
  rules.push_back(MakeCompareWholeNumbers());
  rules.push_back(fold::FoldConstants());
  rules.push_back(fold::RemoveIdentities());
  rules.push_back(MakeDecomposeEinsum());
  rules.push_back(MakeTriangleByMask(true));
  rules.push_back(MakeFlattenGatherIndices());
  rules.push_back(fold::MergeReshapes());
  rules.push_back(MakeFoldVariadic());
  rules.push_back(MakeExpandToTile());
  rules.push_back(MakeSplitStridedSlice());
  rules.push_back(MakeStepByColumn());
  rules.push_back(MakeGatherToSlice());
  rules.push_back(MakeComposeActivation());
  rules.push_back(MakeComposeLogSoftmax());
  rules.push_back(MakeComposeLogic());
  rules.push_back(MakeWidenPower());
  rules.push_back(MakeWidenComparison());
  rules.push_back(MakeExpandPower());
  rules.push_back(MakeLowerBatchNorm());
  rules.push_back(MakeFoldBatch());
  rules.push_back(MakeResizeByMatrices());
  rules.push_back(MakeResizeLikeAnother());
  rules.push_back(MakeResizeByFilters());
  rules.push_back(MakeLocateExtreme());
  rules.push_back(MakeRankByComparison());
  rules.push_back(MakeOneHotByComparison());
  rules.push_back(MakeComposeRemainder());
  rules.push_back(MakeComposeSpecialValues());
  rules.push_back(MakeFuseActivation());
  RETURN_IF_ERROR(ApplyRules(graph, rules).status());
  return MakeRemoveDead()->Run(graph).status();
}

}  // namespace slipway::ncnn
