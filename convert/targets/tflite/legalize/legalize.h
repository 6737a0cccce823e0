// How core IR becomes what TFLite has: types first, then named rules before the channels-last pass (what TFLite lacks is composed from
// what it has) and after it (padding, axes, fused activations). The order is in tflite_target.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "convert/passes/pass.h"

namespace slipway::tflite {

// Every graph output gets a producer of its own and is made once: constants, inputs and repeated outputs are copied.
absl::Status SeparateOutputs(Graph& graph);

using Rules = std::vector<std::unique_ptr<Rule>>;

void AddActivationRules(Rules& rules);     // Swish, Mish, HardSigmoid, Erf, … → arithmetic; Clip → Relu, Min, Max
void AddElementwiseRules(Rules& rules);    // variadic → chains of two; Reciprocal, IsNaN
void AddNormalizationRules(Rules& rules);  // → means, differences, products
void AddReduceRules(Rules& rules);         // L1, L2, LogSum, LogSumExp, SumSquare; ArgMax without its axis
void AddLiftRules(Rules& rules);           // 1-D convolutions and pools → 2-D; global pools → reductions
void AddUpsampleRules(Rules& rules);       // Resize and ConvTranspose of sizes known only at run time
void AddShapeRules(Rules& rules);          // parts of shapes; Expand to sizes of the inputs
void AddPoolRules(Rules& rules);           // 3-D and dilated pools
void AddResizeRules(Rules& rules);         // modes that no operator has → Gather, products with matrices
void AddSelectRules(Rules& rules);         // Hardmax; the last of equal extremes
void AddGatherRules(Rules& rules);         // GatherElements, batch axes, indices from the end
void AddGemmRules(Rules& rules);           // Gemm's factors, transposes and odd C; vectors of MatMul
void AddMovementRules(Rules& rules);       // indices from the end, negative pads, uneven splits, pixel shuffle

void AddPaddingRules(Rules& rules);     // after layout: pads that SAME and VALID cannot say
void AddTransposedRules(Rules& rules);  // after layout: ConvTranspose without pads, dilations, groups
void AddSoftmaxRules(Rules& rules);     // after layout: Softmax on the last axis
void AddTopKRules(Rules& rules);        // after layout: TopK of the last axis
void AddFusionRules(Rules& rules);      // after layout: activations into their producers

void AddForgetSizesRules(Rules& rules);   // last: Resize's sizes that its result's shape says
void AddRuntimeShapeRules(Rules& rules);  // last, after folding (which undoes it): shapes read from data at run time

// Adds the nodes of an expansion before a node. After an error every later call does nothing and Done() tells it.
class Expansion {
 public:
  Expansion(Graph& graph, Node& node) : graph_(graph), node_(node) {}

  Value* Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {});
  // A float32 scalar, or a tensor.
  Value* Number(double number);
  Value* Constant(Tensor tensor);
  Value* Axes(const std::vector<int64_t>& axes) { return Constant(Tensor::Int64s(axes)); }
  // The last step: the node itself becomes this op, its output keeps its name.
  absl::StatusOr<bool> Become(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {});

 private:
  std::string Base() const;  // of the names that are made: the node's first result that is read
  Graph& graph_;
  Node& node_;
  absl::Status failure_;
};

// A rule of one function.
std::unique_ptr<Rule> MakeRule(std::string name, std::vector<OpKind> kinds,
                               absl::StatusOr<bool> (*apply)(Graph&, Node&));

Attributes With(std::string name, AttributeValue value);

}  // namespace slipway::tflite
