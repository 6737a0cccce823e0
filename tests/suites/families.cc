#include "tests/suites/families.h"

#include <algorithm>
#include <array>
#include <vector>

namespace slipway::suites {
namespace {

struct Row {
  std::string_view op_type;
  std::string_view family;
  std::vector<int> frozen = {};
};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {"Conv", "convolution", {1, 2}},
      {"ConvTranspose", "convolution", {1, 2}},

      {"AveragePool", "pooling"},
      {"GlobalAveragePool", "pooling"},
      {"GlobalLpPool", "pooling"},
      {"GlobalMaxPool", "pooling"},
      {"LpPool", "pooling"},
      {"MaxPool", "pooling"},

      {"Einsum", "product"},
      {"Gemm", "product", {1, 2}},
      {"MatMul", "product"},

      {"BatchNormalization", "normalisation", {1, 2, 3, 4}},
      {"GroupNormalization", "normalisation", {1, 2}},
      {"InstanceNormalization", "normalisation", {1, 2}},
      {"LRN", "normalisation"},
      {"LayerNormalization", "normalisation", {1, 2}},
      {"LpNormalization", "normalisation"},
      {"MeanVarianceNormalization", "normalisation"},

      {"Celu", "activation"},
      {"Clip", "activation", {1, 2}},
      {"Dropout", "activation", {1, 2}},
      {"Elu", "activation"},
      {"Gelu", "activation"},
      {"HardSigmoid", "activation"},
      {"HardSwish", "activation"},
      {"LeakyRelu", "activation"},
      {"Mish", "activation"},
      {"PRelu", "activation", {1}},
      {"Relu", "activation"},
      {"Selu", "activation"},
      {"Shrink", "activation"},
      {"Sigmoid", "activation"},
      {"Softplus", "activation"},
      {"Softsign", "activation"},
      {"Tanh", "activation"},
      {"ThresholdedRelu", "activation"},

      {"Hardmax", "softmax"},
      {"LogSoftmax", "softmax"},
      {"Softmax", "softmax"},

      {"Abs", "elementwise"},
      {"Acos", "elementwise"},
      {"Acosh", "elementwise"},
      {"Add", "elementwise"},
      {"Asin", "elementwise"},
      {"Asinh", "elementwise"},
      {"Atan", "elementwise"},
      {"Atanh", "elementwise"},
      {"BitShift", "elementwise"},
      {"Ceil", "elementwise"},
      {"Cos", "elementwise"},
      {"Cosh", "elementwise"},
      {"Div", "elementwise"},
      {"Erf", "elementwise"},
      {"Exp", "elementwise"},
      {"Floor", "elementwise"},
      {"Log", "elementwise"},
      {"Max", "elementwise"},
      {"Mean", "elementwise"},
      {"Min", "elementwise"},
      {"Mod", "elementwise"},
      {"Mul", "elementwise"},
      {"Neg", "elementwise"},
      {"Pow", "elementwise"},
      {"Reciprocal", "elementwise"},
      {"Round", "elementwise"},
      {"Sign", "elementwise"},
      {"Sin", "elementwise"},
      {"Sinh", "elementwise"},
      {"Sqrt", "elementwise"},
      {"Sub", "elementwise"},
      {"Sum", "elementwise"},
      {"Tan", "elementwise"},

      {"And", "logic"},
      {"Equal", "logic"},
      {"Greater", "logic"},
      {"GreaterOrEqual", "logic"},
      {"IsInf", "logic"},
      {"IsNaN", "logic"},
      {"Less", "logic"},
      {"LessOrEqual", "logic"},
      {"Not", "logic"},
      {"Or", "logic"},
      {"Where", "logic"},
      {"Xor", "logic"},

      {"ArgMax", "reduction"},
      {"ArgMin", "reduction"},
      {"CumSum", "reduction", {1}},
      {"ReduceL1", "reduction", {1}},
      {"ReduceL2", "reduction", {1}},
      {"ReduceLogSum", "reduction", {1}},
      {"ReduceLogSumExp", "reduction", {1}},
      {"ReduceMax", "reduction", {1}},
      {"ReduceMean", "reduction", {1}},
      {"ReduceMin", "reduction", {1}},
      {"ReduceProd", "reduction", {1}},
      {"ReduceSum", "reduction", {1}},
      {"ReduceSumSquare", "reduction", {1}},

      {"Concat", "movement"},
      {"DepthToSpace", "movement"},
      {"Expand", "movement", {1}},
      {"Flatten", "movement"},
      {"Gather", "movement"},
      {"GatherElements", "movement"},
      {"GatherND", "movement"},
      {"Identity", "movement"},
      {"Pad", "movement", {1, 2, 3}},
      {"Reshape", "movement", {1}},
      {"Slice", "movement", {1, 2, 3, 4}},
      {"SpaceToDepth", "movement"},
      {"Split", "movement", {1}},
      {"Squeeze", "movement", {1}},
      {"Tile", "movement", {1, 2}},
      {"Transpose", "movement"},
      {"Unsqueeze", "movement", {1}},

      {"Resize", "resize", {1, 2, 3}},
      {"Upsample", "resize", {1}},

      {"Cast", "type and shape"},
      {"CastLike", "type and shape"},
      {"Constant", "type and shape"},
      {"ConstantOfShape", "type and shape", {0}},
      {"Range", "type and shape", {0, 1, 2}},
      {"Shape", "type and shape"},
      {"Size", "type and shape"},
  };
  return rows;
}

const Row* FindRow(std::string_view op_type) {
  const auto row = std::ranges::find(Rows(), op_type, &Row::op_type);
  return row == Rows().end() ? nullptr : &*row;
}

}  // namespace

std::string_view FamilyOf(std::string_view op_type) {
  const Row* row = FindRow(op_type);
  return row == nullptr ? std::string_view() : row->family;
}

std::span<const int> FrozenOperands(std::string_view op_type) {
  const Row* row = FindRow(op_type);
  return row == nullptr ? std::span<const int>() : std::span<const int>(row->frozen);
}

}  // namespace slipway::suites
