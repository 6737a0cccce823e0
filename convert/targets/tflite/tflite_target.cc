#include <array>
#include <map>
#include <string>

#include "common/base/error.h"
#include "convert/passes/convolve_by_product.h"
#include "convert/passes/einsum.h"
#include "convert/passes/gather_indices.h"
#include "convert/passes/grid_sample.h"
#include "convert/passes/merge_axes.h"
#include "convert/passes/merge_neighbours.h"
#include "convert/passes/passes.h"
#include "convert/passes/pick_by_comparison.h"
#include "convert/passes/pixel_unshuffle.h"
#include "convert/passes/pool_indices.h"
#include "convert/passes/scatter_box.h"
#include "convert/passes/triangle.h"
#include "convert/passes/unroll_recurrent.h"
#include "convert/passes/widen_floats.h"
#include "convert/passes/wrap_pads.h"
#include "convert/targets/target.h"
#include "convert/targets/tflite/builder.h"
#include "convert/targets/tflite/legalize/legalize.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway {
namespace tflite {
namespace {

using Table = std::array<const OpEntry*, static_cast<size_t>(OpKind::kCount)>;

const Table& Operators() {
  static const Table table = [] {
    Table operators{};
    for (const std::span<const OpEntry> family :
         {ConvOps(), PoolOps(), GemmOps(), ActivationOps(), ElementwiseOps(), ReduceOps(), ReshapeOps(), SliceOps(),
          GatherOps(), ResizeOps(), ShapeOps()}) {
      for (const OpEntry& entry : family) operators[static_cast<size_t>(entry.kind)] = &entry;
    }
    return operators;
  }();
  return table;
}

const Rules& BeforeLayout() {
  static const Rules& rules = *[] {
    auto* made = new Rules;
    made->push_back(MakePoolIndicesByComparison());
    made->push_back(MakeConvolveByProduct());
    made->push_back(MakeTakeFromEnd());
    AddActivationRules(*made);
    AddElementwiseRules(*made);
    AddNormalizationRules(*made);
    AddReduceRules(*made);
    AddLiftRules(*made);
    AddUpsampleRules(*made);
    AddShapeRules(*made);
    AddPoolRules(*made);
    AddResizeRules(*made);
    AddSelectRules(*made);
    AddGatherRules(*made);
    AddGemmRules(*made);
    AddMovementRules(*made);
    made->push_back(MakeDecomposeEinsum());
    made->push_back(MakeGridSampleByGather());
    made->push_back(MakeUnshuffleByConvolution());
    made->push_back(MakeScatterBoxByConcat());
    made->push_back(MakeUnrollRecurrent());
    made->push_back(MakePickByComparison());
    made->push_back(MakeWrapBySlices());
    made->push_back(MakeMergeNeighbours(5, false));
    made->push_back(MakeReduceByRuns(5));
    made->push_back(MakeTriangleByMask(false));
    return made;
  }();
  return rules;
}

const Rules& AfterLayout() {
  static const Rules& rules = *[] {
    auto* made = new Rules;
    AddPaddingRules(*made);
    AddTransposedRules(*made);
    AddSoftmaxRules(*made);
    AddTopKRules(*made);
    AddMovementRules(*made);
    AddFusionRules(*made);
    return made;
  }();
  return rules;
}

const Rules& AfterFolding() {
  static const Rules& rules = *[] {
    auto* made = new Rules;
    AddForgetSizesRules(*made);
    AddRuntimeShapeRules(*made);
    return made;
  }();
  return rules;
}

InterfaceTensor Describe(const Value& value, const std::string& source) {
  InterfaceTensor tensor;
  tensor.name = value.name;
  tensor.source = source;
  tensor.type = value.type;
  for (const Dim& size : value.shape.value_or(Shape{})) tensor.shape.push_back(size.IsKnown() ? size.value() : -1);
  if (value.rank() == 4) tensor.layout = value.origin.permutation.empty() ? "NCHW" : "NHWC";
  tensor.permutation = value.origin.permutation;
  return tensor;
}

// A runtime allocates all tensors once before the inputs can be resized, so the sizes that stand for symbols must fit the operators: the least
// power of two with which no tensor is empty. Batches get 1.
std::map<std::string, int64_t> FittingSizes(const Graph& graph) {
  std::vector<std::string> batches, symbols;
  for (const Value* value : graph.values()) {
    if (!value->shape) continue;
    for (size_t axis = 0; axis < value->shape->size(); ++axis) {
      const bool batch = axis == 0 && value->producer == nullptr && value->shape->size() > 1;
      (*value->shape)[axis].CollectSymbols(batch ? batches : symbols);
    }
  }
  for (int64_t size = 1; size <= 4096; size *= 2) {
    std::map<std::string, int64_t> sizes;
    for (const std::string& symbol : symbols) sizes[symbol] = size;
    for (const std::string& symbol : batches) sizes[symbol] = 1;
    bool fits = true;
    // A mirror is at most as large as what it shows.
    for (const auto& node : graph.nodes()) {
      if (node->kind != OpKind::kPad || node->attributes.String("mode", "constant") != "reflect" ||
          node->constant(1) == nullptr)
        continue;
      const std::vector<int64_t> pads = node->constant(1)->ToInt64s();
      const Shape& shape = *node->input(0)->shape;
      for (size_t i = 0; i < pads.size() && pads.size() == 2 * shape.size(); ++i) {
        const Dim& dim = shape[i % shape.size()];
        fits &= dim.IsKnown() || dim.Evaluate(sizes).value_or(1) > pads[i];
      }
    }
    for (const Value* value : graph.values()) {
      for (const Dim& dim : value->shape.value_or(Shape{}))
        fits &= dim.IsKnown() || dim.Evaluate(sizes).value_or(1) >= 1;
    }
    if (fits) return sizes;
  }
  return {};
}

class Tflite final : public Target {
 public:
  std::string_view name() const override { return "tflite"; }

  absl::Status Legalize(Graph& graph, const TargetOptions&) const override {
    RETURN_IF_ERROR(WidenFloats(graph));
    const std::unique_ptr<Pass> infer = MakeInferShapes(), fold = MakeFoldConstants(), layout = MakeChannelsLast(),
                                dead = MakeRemoveDead();
    RETURN_IF_ERROR(infer->Run(graph).status());
    RETURN_IF_ERROR(ApplyRules(graph, BeforeLayout()).status());
    RETURN_IF_ERROR(fold->Run(graph).status());
    RETURN_IF_ERROR(dead->Run(graph).status());
    RETURN_IF_ERROR(layout->Run(graph).status());
    RETURN_IF_ERROR(ApplyRules(graph, AfterLayout()).status());
    RETURN_IF_ERROR(fold->Run(graph).status());
    RETURN_IF_ERROR(dead->Run(graph).status());
    RETURN_IF_ERROR(ApplyRules(graph, AfterFolding()).status());
    RETURN_IF_ERROR(dead->Run(graph).status());
    return SeparateOutputs(graph);
  }

  absl::Status Check(const Node& node, const TargetOptions&) const override {
    const OpEntry* entry = Operators()[static_cast<size_t>(node.kind)];
    if (node.kind == OpKind::kLSTM || node.kind == OpKind::kGRU || node.kind == OpKind::kRNN)
      return Unsupported(node,
                         "it is written step by step; a number of steps that is open or beyond 512, sequence lengths, "
                         "peepholes, clipping and computed weights cannot be said so",
                         "fix the number of steps with --shape");
    if (entry == nullptr) return Unsupported(node, "TFLite has no operator for it", "");
    for (const std::vector<Value*>* values : {&node.inputs, &node.outputs}) {
      for (const Value* value : *values) {
        if (value == nullptr) continue;
        if (!TypeOf(value->type))
          return Unsupported(node, fmt::format("'{}' has type {}", value->name, Name(value->type)), "");
        if (value->rank() < 0)
          return Unsupported(node, fmt::format("the rank of '{}' is not known", value->name),
                             "fix shapes with --shape");
      }
    }
    return entry->check(node);
  }

  absl::StatusOr<Emitted> Emit(const Graph& graph, const TargetOptions& options,
                               const std::filesystem::path& folder) const override {
    if (options.precision != "fp32") return Unimplemented("the TFLite target writes fp32, not {}", options.precision);
    ModelBuilder builder;
    builder.SetSizes(FittingSizes(graph));
    Emitted emitted;
    for (const Value* input : graph.inputs()) {
      builder.AddInput(input->name, builder.Value(input));
      emitted.io.inputs.push_back(Describe(*input, input->origin.known() ? input->origin.source : input->name));
    }
    for (const auto& node : graph.nodes()) Operators()[static_cast<size_t>(node->kind)]->emit(*node, builder);
    for (const Value* output : graph.outputs()) {
      builder.AddOutput(output->name, builder.Value(output));
      emitted.io.outputs.push_back(Describe(*output, output->origin.known() ? output->origin.source : output->name));
    }
    for (const auto& node : graph.nodes()) {
      for (const Value* value : node->outputs) {
        if (value != nullptr && value->origin.known())
          emitted.values.push_back({builder.NameOf(builder.Value(value)), value->origin, -1});
      }
    }
    emitted.path = options.model_name + ".tflite";
    emitted.files = {emitted.path};
    emitted.requires_runtime = "TFLite 2.8.0";
    RETURN_IF_ERROR(builder.Write(folder / emitted.path, options.model_name));
    return emitted;
  }
};

}  // namespace
}  // namespace tflite

const Target& TfliteTarget() {
  static const tflite::Tflite target;
  return target;
}

}  // namespace slipway
