// The op table: every operator of the IR dialect (docs/ir.md), by name.
// The dialect is ONNX at opset 18's form: what later opsets moved from attributes to inputs (axes, pads, clip bounds)
// is an input here; what an older opset said otherwise is upgraded by the importer. A few ops are ours, and each has an
// ONNX expansion in onnx_form/.
#pragma once

#include <cstdint>
#include <string_view>

namespace slipway {

// X(kind, name, minimum inputs, maximum inputs (-1: variadic), outputs (-1: variadic))
#define SLIPWAY_OP_TABLE(X)                                                     \
  /* convolution and pooling */                                                 \
  X(Conv, 2, 3, 1)                                                              \
  X(ConvTranspose, 2, 3, 1)                                                     \
  X(MaxPool, 1, 1, 2)                                                           \
  X(AveragePool, 1, 1, 1)                                                       \
  X(LpPool, 1, 1, 1)                                                            \
  X(GlobalAveragePool, 1, 1, 1)                                                 \
  X(GlobalMaxPool, 1, 1, 1)                                                     \
  X(GlobalLpPool, 1, 1, 1)                                                      \
  /* products */                                                                \
  X(Gemm, 2, 3, 1)                                                              \
  X(MatMul, 2, 2, 1)                                                            \
  X(Einsum, 1, -1, 1)                                                           \
  /* normalisation */                                                           \
  X(BatchNormalization, 5, 5, 1)                                                \
  X(InstanceNormalization, 3, 3, 1)                                             \
  X(LayerNormalization, 2, 3, 1)                                                \
  X(GroupNormalization, 3, 3, 1)                                                \
  X(LpNormalization, 1, 1, 1)                                                   \
  X(MeanVarianceNormalization, 1, 1, 1)                                         \
  X(LRN, 1, 1, 1)                                                               \
  X(RMSNormalization, 2, 2, 1)                                                  \
  /* activations */                                                             \
  X(Relu, 1, 1, 1)                                                              \
  X(LeakyRelu, 1, 1, 1)                                                         \
  X(PRelu, 2, 2, 1)                                                             \
  X(ThresholdedRelu, 1, 1, 1)                                                   \
  X(Elu, 1, 1, 1)                                                               \
  X(Selu, 1, 1, 1)                                                              \
  X(Celu, 1, 1, 1)                                                              \
  X(Gelu, 1, 1, 1)                                                              \
  X(Sigmoid, 1, 1, 1)                                                           \
  X(HardSigmoid, 1, 1, 1)                                                       \
  X(HardSwish, 1, 1, 1)                                                         \
  X(Swish, 1, 1, 1)                                                             \
  X(Mish, 1, 1, 1)                                                              \
  X(Tanh, 1, 1, 1)                                                              \
  X(Softplus, 1, 1, 1)                                                          \
  X(Softsign, 1, 1, 1)                                                          \
  X(Clip, 1, 3, 1)                                                              \
  X(Softmax, 1, 1, 1)                                                           \
  X(LogSoftmax, 1, 1, 1)                                                        \
  X(Hardmax, 1, 1, 1)                                                           \
  X(Shrink, 1, 1, 1)                                                            \
  /* unary arithmetic */                                                        \
  X(Abs, 1, 1, 1)                                                               \
  X(Neg, 1, 1, 1)                                                               \
  X(Exp, 1, 1, 1)                                                               \
  X(Log, 1, 1, 1)                                                               \
  X(Sqrt, 1, 1, 1)                                                              \
  X(Reciprocal, 1, 1, 1)                                                        \
  X(Floor, 1, 1, 1)                                                             \
  X(Ceil, 1, 1, 1)                                                              \
  X(Round, 1, 1, 1)                                                             \
  X(Sign, 1, 1, 1)                                                              \
  X(Erf, 1, 1, 1)                                                               \
  X(Sin, 1, 1, 1)                                                               \
  X(Cos, 1, 1, 1)                                                               \
  X(Tan, 1, 1, 1)                                                               \
  X(Asin, 1, 1, 1)                                                              \
  X(Acos, 1, 1, 1)                                                              \
  X(Atan, 1, 1, 1)                                                              \
  X(Sinh, 1, 1, 1)                                                              \
  X(Cosh, 1, 1, 1)                                                              \
  X(Asinh, 1, 1, 1)                                                             \
  X(Acosh, 1, 1, 1)                                                             \
  X(Atanh, 1, 1, 1)                                                             \
  X(IsNaN, 1, 1, 1)                                                             \
  X(IsInf, 1, 1, 1)                                                             \
  X(Not, 1, 1, 1)                                                               \
  X(BitwiseNot, 1, 1, 1)                                                        \
  /* binary and variadic arithmetic */                                          \
  X(Add, 2, 2, 1)                                                               \
  X(Sub, 2, 2, 1)                                                               \
  X(Mul, 2, 2, 1)                                                               \
  X(Div, 2, 2, 1)                                                               \
  X(Pow, 2, 2, 1)                                                               \
  X(Mod, 2, 2, 1)                                                               \
  X(BitShift, 2, 2, 1)                                                          \
  X(BitwiseAnd, 2, 2, 1)                                                        \
  X(BitwiseOr, 2, 2, 1)                                                         \
  X(BitwiseXor, 2, 2, 1)                                                        \
  X(Min, 1, -1, 1)                                                              \
  X(Max, 1, -1, 1)                                                              \
  X(Sum, 1, -1, 1)                                                              \
  X(Mean, 1, -1, 1)                                                             \
  /* comparison and logic */                                                    \
  X(Equal, 2, 2, 1)                                                             \
  X(Greater, 2, 2, 1)                                                           \
  X(GreaterOrEqual, 2, 2, 1)                                                    \
  X(Less, 2, 2, 1)                                                              \
  X(LessOrEqual, 2, 2, 1)                                                       \
  X(And, 2, 2, 1)                                                               \
  X(Or, 2, 2, 1)                                                                \
  X(Xor, 2, 2, 1)                                                               \
  X(Where, 3, 3, 1)                                                             \
  /* reductions: data, axes (absent: all, or none with noop_with_empty_axes) */ \
  X(ReduceMean, 1, 2, 1)                                                        \
  X(ReduceSum, 1, 2, 1)                                                         \
  X(ReduceMax, 1, 2, 1)                                                         \
  X(ReduceMin, 1, 2, 1)                                                         \
  X(ReduceProd, 1, 2, 1)                                                        \
  X(ReduceL1, 1, 2, 1)                                                          \
  X(ReduceL2, 1, 2, 1)                                                          \
  X(ReduceLogSum, 1, 2, 1)                                                      \
  X(ReduceLogSumExp, 1, 2, 1)                                                   \
  X(ReduceSumSquare, 1, 2, 1)                                                   \
  X(ArgMax, 1, 1, 1)                                                            \
  X(ArgMin, 1, 1, 1)                                                            \
  X(CumSum, 2, 2, 1)                                                            \
  X(TopK, 2, 2, 2)                                                              \
  /* movement */                                                                \
  X(Reshape, 2, 2, 1)                                                           \
  X(Flatten, 1, 1, 1)                                                           \
  X(Transpose, 1, 1, 1)                                                         \
  X(Squeeze, 1, 2, 1)                                                           \
  X(Unsqueeze, 2, 2, 1)                                                         \
  X(Concat, 1, -1, 1)                                                           \
  X(Split, 1, 2, -1)                                                            \
  X(Slice, 3, 5, 1)                                                             \
  X(Gather, 2, 2, 1)                                                            \
  X(GatherElements, 2, 2, 1)                                                    \
  X(GatherND, 2, 2, 1)                                                          \
  X(ScatterElements, 3, 3, 1)                                                   \
  X(ScatterND, 3, 3, 1)                                                         \
  X(Pad, 2, 4, 1)                                                               \
  X(Expand, 2, 2, 1)                                                            \
  X(Tile, 2, 2, 1)                                                              \
  X(DepthToSpace, 1, 1, 1)                                                      \
  X(SpaceToDepth, 1, 1, 1)                                                      \
  X(Resize, 1, 4, 1)                                                            \
  X(GridSample, 2, 2, 1)                                                        \
  X(ReverseSequence, 2, 2, 1)                                                   \
  X(Trilu, 1, 2, 1)                                                             \
  X(EyeLike, 1, 1, 1)                                                           \
  X(OneHot, 3, 3, 1)                                                            \
  X(NonZero, 1, 1, 1)                                                           \
  X(Compress, 2, 2, 1)                                                          \
  X(CenterCropPad, 2, 2, 1)                                                     \
  /* types, shapes, sources */                                                  \
  X(Identity, 1, 1, 1)                                                          \
  X(Cast, 1, 1, 1)                                                              \
  X(Shape, 1, 1, 1)                                                             \
  X(Size, 1, 1, 1)                                                              \
  X(ConstantOfShape, 1, 1, 1)                                                   \
  X(Range, 3, 3, 1)                                                             \
  X(QuantizeLinear, 2, 3, 1)                                                    \
  X(DequantizeLinear, 2, 3, 1)                                                  \
  /* recurrent */                                                               \
  X(LSTM, 3, 8, 3)                                                              \
  X(GRU, 3, 6, 2)                                                               \
  X(RNN, 3, 6, 2)                                                               \
  /* control flow */                                                            \
  X(If, 1, 1, -1)                                                               \
  X(Loop, 2, -1, -1)                                                            \
  X(Scan, 1, -1, -1)                                                            \
  X(NonMaxSuppression, 2, 5, 1)

enum class OpKind : uint16_t {
#define X(kind, ...) k##kind,
  SLIPWAY_OP_TABLE(X)
#undef X
      kCount,
};

struct OpInfo {
  OpKind kind;
  std::string_view name;  // ONNX's name, for our own ops a name that ONNX does not have
  int min_inputs;
  int max_inputs;  // -1: variadic
  int outputs;     // the most it can have; -1: variadic
};

const OpInfo& Info(OpKind kind);
inline std::string_view Name(OpKind kind) { return Info(kind).name; }
// nullptr if no op of the dialect has that name.
const OpInfo* FindOp(std::string_view name);

}  // namespace slipway
