// Every op family, in many configurations: what ncnn computes against what onnxruntime computes.
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/error.h"
#include "convert/passes/passes.h"
#include "convert/passes/shapes.h"
#include "tests/ncnn/harness.h"

namespace slipway::testing {
namespace {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

// Writes cases briefly: x() is an input, c() a constant, then ops by kind.
class Case {
 public:
  Case() : graph(std::make_unique<Graph>()) {}
  Value* x(Shape shape) {
    return graph->AddInput("x" + std::to_string(graph->inputs().size()), DataType::kFloat32, std::move(shape));
  }
  Value* c(Ints shape, float low = -1, float high = 1) {
    return graph->AddConstant("c", RandomTensor(std::move(shape), ++seed_, low, high));
  }
  Value* ints(Ints values) { return graph->AddConstant("i", Tensor::Int64s(values)); }
  Value* number(float value) { return graph->AddConstant("n", Tensor::Scalar(value)); }
  Value* op(OpKind kind, std::vector<Value*> inputs,
            std::vector<std::pair<std::string, AttributeValue>> attributes = {}, int outputs = 1) {
    Attributes all;
    for (auto& [name, value] : attributes) all.Set(name, std::move(value));
    std::vector<std::string> names;
    for (int i = 0; i < outputs; ++i) names.push_back("v");
    last = graph->AddNode(kind, std::move(inputs), names, std::move(all));
    return last->output();
  }
  // The error of all that no node reads.
  void Expect(float low = -1, float high = 1, double limit = 1e-5, const std::map<std::string, int64_t>& sizes = {}) {
    const auto inferred = MakeInferShapes()->Run(*graph);
    ASSERT_TRUE(inferred.ok()) << inferred.status();
    for (const auto& node : graph->nodes()) {
      for (Value* output : node->outputs) {
        if (output != nullptr && output->uses.empty()) graph->AddOutput(output);
      }
    }
    const absl::StatusOr<double> error = CompareWithOnnxruntime(*graph, sizes, low, high);
    ASSERT_TRUE(error.ok()) << error.status();
    EXPECT_LE(*error, limit);
  }

  std::unique_ptr<Graph> graph;
  Node* last = nullptr;

 private:
  uint64_t seed_ = 100;
};

TEST(NcnnConv, Plain) {
  Case t;
  t.op(OpKind::kConv, {t.x({1, 3, 9, 11}), t.c({8, 3, 3, 3}), t.c({8})}, {{"kernel_shape", Ints{3, 3}}});
  t.Expect();
}
TEST(NcnnConv, NoBiasStridesAsymmetricPadsAndKernel) {
  Case t;
  t.op(OpKind::kConv, {t.x({1, 5, 12, 13}), t.c({7, 5, 3, 2})},
       {{"strides", Ints{2, 3}}, {"pads", Ints{0, 1, 2, 0}}, {"dilations", Ints{2, 1}}});
  t.Expect();
}
TEST(NcnnConv, GroupedAndDepthwise) {
  Case t;
  Value* y = t.op(OpKind::kConv, {t.x({1, 8, 10, 10}), t.c({16, 2, 3, 3}), t.c({16})},
                  {{"group", int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}});
  t.op(OpKind::kConv, {y, t.c({16, 1, 5, 5})},
       {{"group", int64_t{16}}, {"pads", Ints{2, 2, 2, 2}}, {"strides", Ints{2, 2}}});
  t.Expect();
}
TEST(NcnnConv, SameUpperAndLower) {
  Case t;
  Value* y = t.op(OpKind::kConv, {t.x({1, 3, 11, 12}), t.c({4, 3, 4, 3})},
                  {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}});
  t.op(OpKind::kConv, {y, t.c({4, 4, 2, 2})}, {{"auto_pad", std::string("SAME_LOWER")}});
  t.Expect();
}
TEST(NcnnConv, OneAndThreeSpatialAxes) {
  Case t;
  t.op(OpKind::kConv, {t.x({1, 4, 20}), t.c({6, 4, 3}), t.c({6})}, {{"pads", Ints{1, 2}}, {"strides", Ints{2}}});
  t.op(OpKind::kConv, {t.x({1, 2, 5, 6, 7}), t.c({3, 2, 3, 2, 3}), t.c({3})},
       {{"pads", Ints{1, 0, 1, 0, 1, 1}}, {"strides", Ints{1, 2, 1}}});
  t.op(OpKind::kConv, {t.x({1, 4, 20}), t.c({8, 1, 3}), t.c({8})}, {{"group", int64_t{4}}});
  t.Expect();
}
TEST(NcnnConv, Transposed) {
  Case t;
  t.op(OpKind::kConvTranspose, {t.x({1, 5, 6, 7}), t.c({5, 4, 3, 3}), t.c({4})},
       {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}});
  t.op(OpKind::kConvTranspose, {t.x({1, 6, 5, 5}), t.c({6, 2, 2, 3})},
       {{"strides", Ints{2, 1}}, {"group", int64_t{3}}});
  t.op(OpKind::kConvTranspose, {t.x({1, 4, 5, 5}), t.c({4, 1, 4, 4}), t.c({4})},
       {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"group", int64_t{4}}});
  t.op(OpKind::kConvTranspose, {t.x({1, 3, 9}), t.c({3, 5, 4}), t.c({5})},
       {{"strides", Ints{3}}, {"pads", Ints{1, 0}}});
  t.op(OpKind::kConvTranspose, {t.x({1, 4, 5, 6}), t.c({4, 3, 3, 2}), t.c({3})},
       {{"dilations", Ints{2, 1}}, {"pads", Ints{0, 1, 2, 0}}});
  t.Expect();
}
TEST(NcnnConv, ActivationsAreFused) {
  Case t;
  Value* x = t.x({1, 3, 8, 8});
  t.op(OpKind::kRelu, {t.op(OpKind::kConv, {x, t.c({4, 3, 3, 3}), t.c({4})})});
  t.op(OpKind::kClip, {t.op(OpKind::kConv, {x, t.c({4, 3, 3, 3})}), t.number(0), t.number(0.7f)});
  t.op(OpKind::kRelu, {t.op(OpKind::kConvTranspose, {x, t.c({3, 4, 2, 2})})});
  t.op(OpKind::kClip, {t.op(OpKind::kGemm, {t.x({1, 9}), t.c({5, 9}), t.c({5})}, {{"transB", int64_t{1}}}),
                       t.number(-0.2f), t.number(0.3f)});
  const auto inferred = MakeInferShapes()->Run(*t.graph);
  ASSERT_TRUE(inferred.ok()) << inferred.status();
  const std::unique_ptr<Graph> clone = t.graph->Clone();
  for (const auto& node : clone->nodes()) {
    if (node->output()->uses.empty()) clone->AddOutput(node->output());
  }
  ASSERT_TRUE(NcnnTarget().Legalize(*clone, {}).ok());
  EXPECT_EQ(clone->node_count(), 4u);
  t.Expect();
}
TEST(NcnnConv, TransposedToAGivenSize) {
  Case t;
  t.op(OpKind::kConvTranspose, {t.x({1, 2, 3, 3}), t.c({2, 2, 3, 3})},
       {{"strides", Ints{3, 2}}, {"output_shape", Ints{10, 8}}});
  t.Expect();
}
TEST(NcnnConv, BatchOfTwoIsRefusedWithAReason) {
  Case t;
  t.graph->AddOutput(t.op(OpKind::kConv, {t.x({2, 3, 8, 8}), t.c({4, 3, 3, 3})}));
  ASSERT_TRUE(MakeInferShapes()->Run(*t.graph).ok());
  const auto error = CompareWithOnnxruntime(*t.graph);
  EXPECT_EQ(error.status().code(), absl::StatusCode::kUnimplemented) << error.status();
  EXPECT_NE(Message(error.status()).find("a batch of 2"), std::string::npos) << error.status();
}

TEST(NcnnPool, MaximaAndAverages) {
  for (const int64_t ceil : {0, 1}) {
    for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{1, 1, 1, 1}, Ints{0, 1, 1, 0}}) {
      for (const Ints& size : {Ints{11, 12}, Ints{10, 7}}) {
        SCOPED_TRACE(::testing::Message()
                     << "ceil " << ceil << " pads " << ToString(pads) << " size " << ToString(size));
        Case t;
        Value* x = t.x({1, 3, size[0], size[1]});
        const auto with = [&](Ints kernel, Ints strides) {
          return std::vector<std::pair<std::string, AttributeValue>>{
              {"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}, {"ceil_mode", ceil}};
        };
        t.op(OpKind::kMaxPool, {x}, with({3, 2}, {2, 2}));
        t.op(OpKind::kMaxPool, {x}, with({2, 2}, {3, 2}));
        t.op(OpKind::kAveragePool, {x}, with({3, 2}, {2, 3}));
        auto counted = with({3, 3}, {2, 2});
        counted.emplace_back("count_include_pad", int64_t{1});
        t.op(OpKind::kAveragePool, {x}, counted);
        t.Expect();
      }
    }
  }
}
TEST(NcnnPool, RoundsUpUnknownSizes) {
  for (const int64_t size : {20, 21, 22, 23}) {
    Case t;
    t.op(OpKind::kMaxPool, {t.x({1, 4, Dim::Symbol("H"), Dim::Symbol("W")})},
         {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}});
    t.Expect(-1, 1, 1e-6, {{"H", size}, {"W", size + 3}});
  }
}
TEST(NcnnPool, GlobalAndOtherRanks) {
  Case t;
  Value* x = t.x({1, 6, 7, 5});
  t.op(OpKind::kGlobalAveragePool, {x});
  t.op(OpKind::kGlobalMaxPool, {x});
  t.op(OpKind::kMaxPool, {t.x({1, 3, 17})}, {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}});
  t.op(OpKind::kAveragePool, {t.x({1, 3, 6, 7, 8})}, {{"kernel_shape", Ints{2, 3, 2}}, {"strides", Ints{2, 2, 2}}});
  t.op(OpKind::kGlobalAveragePool, {t.x({1, 3, 17})});
  t.Expect();
}

TEST(NcnnGemm, ConstantWeights) {
  Case t;
  Value* x = t.x({1, 12});
  t.op(OpKind::kGemm, {x, t.c({5, 12}), t.c({5})}, {{"transB", int64_t{1}}});
  t.op(OpKind::kGemm, {x, t.c({12, 5}), t.c({1})}, {{"alpha", 0.5f}, {"beta", 2.0f}});
  t.op(OpKind::kGemm, {t.x({4, 12}), t.c({12, 7})});
  t.op(OpKind::kGemm, {t.x({12, 4}), t.c({12, 7}), t.c({4, 7})}, {{"transA", int64_t{1}}});
  t.Expect();
}
TEST(NcnnGemm, Products) {
  Case t;
  t.op(OpKind::kMatMul, {t.x({1, 9, 12}), t.c({12, 5})});
  t.op(OpKind::kMatMul, {t.x({1, 3, 9, 12}), t.c({12, 5})});
  t.op(OpKind::kMatMul, {t.x({1, 3, 4, 6}), t.x({1, 3, 6, 5})});
  t.op(OpKind::kMatMul, {t.x({4, 6}), t.x({6, 5})});
  t.op(OpKind::kMatMul, {t.x({1, 6}), t.x({6, 5})});
  t.op(OpKind::kMatMul, {t.x({2, 4, 6}), t.x({1, 6, 5})});
  t.op(OpKind::kMatMul, {t.x({6}), t.x({3, 6, 5})});
  t.op(OpKind::kMatMul, {t.x({3, 5, 6}), t.x({6})});
  t.op(OpKind::kMatMul, {t.x({6}), t.x({6})});
  t.Expect();
}

TEST(NcnnActivation, All) {
  Case t;
  Value* x = t.x({1, 4, 5, 6});
  for (const OpKind kind :
       {OpKind::kRelu, OpKind::kSigmoid, OpKind::kHardSwish, OpKind::kTanh,  OpKind::kSoftplus, OpKind::kSoftsign,
        OpKind::kMish, OpKind::kSelu,    OpKind::kAbs,       OpKind::kNeg,   OpKind::kExp,      OpKind::kSin,
        OpKind::kCos,  OpKind::kTan,     OpKind::kAtan,      OpKind::kFloor, OpKind::kCeil,     OpKind::kRound,
        OpKind::kErf,  OpKind::kSinh,    OpKind::kCosh,      OpKind::kAsinh, OpKind::kSwish,    OpKind::kGelu}) {
    SCOPED_TRACE(Name(kind));
    Case one;
    one.op(kind, {one.x({1, 4, 5, 6})});
    one.Expect(-3, 3, 2e-5);
  }
  t.op(OpKind::kLeakyRelu, {x}, {{"alpha", 0.2f}});
  t.op(OpKind::kElu, {x}, {{"alpha", 0.7f}});
  t.op(OpKind::kCelu, {x}, {{"alpha", 1.5f}});
  t.op(OpKind::kHardSigmoid, {x}, {{"alpha", 0.3f}, {"beta", 0.4f}});
  t.op(OpKind::kShrink, {x}, {{"bias", 0.5f}, {"lambd", 1.0f}});
  t.op(OpKind::kGelu, {x}, {{"approximate", std::string("tanh")}});
  t.op(OpKind::kSwish, {x}, {{"alpha", 1.7f}});
  t.op(OpKind::kClip, {x, t.number(-0.5f), t.number(1.25f)});
  t.op(OpKind::kClip, {x, nullptr, t.number(0.5f)});
  t.op(OpKind::kClip, {x, t.number(0.1f)});
  t.Expect(-3, 3, 2e-5);
}
TEST(NcnnActivation, OfPositiveNumbers) {
  for (const OpKind kind :
       {OpKind::kLog, OpKind::kSqrt, OpKind::kReciprocal, OpKind::kAsin, OpKind::kAcos, OpKind::kAtanh}) {
    SCOPED_TRACE(Name(kind));
    Case t;
    t.op(kind, {t.x({1, 3, 17})});
    t.Expect(0.1f, 0.9f);
  }
  Case t;
  t.op(OpKind::kAcosh, {t.x({1, 3, 17})});
  t.Expect(1.1f, 3);
}
TEST(NcnnActivation, PReluOfEveryForm) {
  Case t;
  Value* x = t.x({1, 4, 5, 6});
  t.op(OpKind::kPRelu, {x, t.c({4, 1, 1})});
  t.op(OpKind::kPRelu, {x, t.c({1})});
  t.op(OpKind::kPRelu, {x, t.c({1, 4, 1, 1})});
  t.op(OpKind::kPRelu, {x, t.c({6})});
  t.op(OpKind::kPRelu, {x, t.c({4, 5, 6})});
  t.op(OpKind::kPRelu, {t.x({1, 9}), t.c({9})});
  t.op(OpKind::kPRelu, {t.x({3, 9}), t.c({9})});
  t.Expect();
}

TEST(NcnnElementwise, Broadcasting) {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{1, 3, 4, 5}, {1, 3, 4, 5}},
      {{1, 3, 4, 5}, {1, 3, 1, 1}},
      {{1, 3, 4, 5}, {5}},
      {{1, 3, 4, 5}, {4, 1}},
      {{1, 3, 4, 5}, {3, 1, 5}},
      {{1, 3, 4, 5}, {1, 1, 4, 1}},
      {{1, 3, 4, 5}, {1}},
      {{3, 4, 5}, {1, 4, 1}},
      {{3, 4, 5}, {5}},
      {{3, 1}, {1, 4}},
      {{3, 1, 5}, {1, 4, 1}},
      {{5}, {5}},
      {{2, 3, 4, 5}, {3, 1, 1}},
      {{1, 2, 3, 4, 5}, {4, 1}},
      {{1, 3, 1, 5}, {4, 1}},
      {{1, 4}, {4}},
      {{4, 4}, {4}},
      {{1, 4, 4, 4}, {4}},
      {{1, 4, 4, 4}, {4, 4}},
      {{1, 4, 4, 4}, {4, 1, 1}},
  };
  for (const auto& [a, b] : shapes) {
    SCOPED_TRACE(ToString(a) + " with " + ToString(b));
    Case t;
    Value *x = t.x(a), *y = t.x(b), *c = t.c(*StaticShape(b), 0.5f, 2);
    t.op(OpKind::kSub, {x, y});
    t.op(OpKind::kMul, {y, x});
    t.op(OpKind::kDiv, {x, c});
    t.op(OpKind::kSub, {c, x});
    t.op(OpKind::kMin, {x, y});
    t.Expect(0.5f, 2);
  }
}
TEST(NcnnElementwise, ScalarsAndMany) {
  Case t;
  Value *x = t.x({1, 3, 4, 5}), *y = t.x({1, 3, 4, 5});
  for (const OpKind kind :
       {OpKind::kAdd, OpKind::kSub, OpKind::kMul, OpKind::kDiv, OpKind::kPow, OpKind::kMax, OpKind::kMin}) {
    t.op(kind, {x, t.number(1.3f)});
    t.op(kind, {t.number(1.7f), x});
  }
  t.op(OpKind::kPow, {x, y});
  t.op(OpKind::kSum, {x, y, t.c({3, 1, 1})});
  t.op(OpKind::kMean, {x, y, x});
  t.op(OpKind::kMax, {x, y, t.c({5})});
  t.op(OpKind::kMin, {x, y, t.number(1)});
  t.Expect(0.5f, 2);
}

TEST(NcnnElementwise, PowersOfAnySign) {
  for (const float exponent : {1.0f, 2.0f, 3.0f, -2.0f, 5.0f}) {
    SCOPED_TRACE(exponent);
    Case t;
    t.op(OpKind::kPow, {t.x({1, 3, 4, 5}), t.number(exponent)});
    t.Expect(-2, -0.5f);
  }
  Case t;
  Value* x = t.op(OpKind::kRelu, {t.x({1, 3, 4, 5})});
  t.op(OpKind::kPow, {x, t.number(0.5f)});
  t.op(OpKind::kPow, {x, t.number(2.3f)});
  t.op(OpKind::kPow, {x, t.number(2)});
  t.Expect(-2, 2);
}

TEST(NcnnLogic, Comparisons) {
  Case t;
  Value *x = t.op(OpKind::kRound, {t.x({1, 3, 4, 5})}), *y = t.op(OpKind::kRound, {t.x({1, 3, 4, 5})});
  std::vector<Value*> truths;
  for (const OpKind kind :
       {OpKind::kGreater, OpKind::kLess, OpKind::kGreaterOrEqual, OpKind::kLessOrEqual, OpKind::kEqual}) {
    truths.push_back(t.op(kind, {x, y}));
    t.op(kind, {x, t.number(1)});
    t.op(kind, {x, t.c({3, 1, 1})});
  }
  t.op(OpKind::kAnd, {truths[0], truths[1]});
  t.op(OpKind::kOr, {truths[0], truths[4]});
  t.op(OpKind::kXor, {truths[2], truths[4]});
  t.op(OpKind::kEqual, {truths[2], truths[3]});
  t.op(OpKind::kNot, {truths[3]});
  t.op(OpKind::kSign, {x});
  t.op(OpKind::kThresholdedRelu, {x}, {{"alpha", 0.5f}});
  t.Expect(-2, 2, 0);
}
TEST(NcnnLogic, ChoiceAndMasks) {
  Case t;
  Value *x = t.x({1, 3, 4, 5}), *y = t.x({1, 3, 4, 5});
  Value* above = t.op(OpKind::kGreater, {x, t.number(0)});
  t.op(OpKind::kWhere, {above, x, y});
  t.op(OpKind::kWhere, {t.op(OpKind::kLess, {t.x({5}), t.number(0)}), x, t.number(2)});
  t.op(OpKind::kMul, {t.op(OpKind::kCast, {above}, {{"to", int64_t{1}}}), y});
  Value* truth = t.op(OpKind::kCast, {x}, {{"to", int64_t{9}}});
  t.op(OpKind::kCast, {truth}, {{"to", int64_t{1}}});
  Value* masked = t.op(OpKind::kWhere, {above, t.number(-INFINITY), y});
  t.op(OpKind::kSoftmax, {masked}, {{"axis", int64_t{-1}}});
  t.Expect();
}

TEST(NcnnReduce, AllKindsAndAxes) {
  for (const OpKind kind : {OpKind::kReduceSum, OpKind::kReduceMean, OpKind::kReduceMax, OpKind::kReduceMin,
                            OpKind::kReduceProd, OpKind::kReduceL1, OpKind::kReduceL2, OpKind::kReduceSumSquare,
                            OpKind::kReduceLogSum, OpKind::kReduceLogSumExp}) {
    SCOPED_TRACE(Name(kind));
    Case t;
    Value *x = t.x({1, 3, 4, 5}), *y = t.x({3, 4, 5});
    for (const int64_t keep : {0, 1}) {
      t.op(kind, {x, t.ints({2, 3})}, {{"keepdims", keep}});
      t.op(kind, {x, t.ints({1})}, {{"keepdims", keep}});
      t.op(kind, {x, t.ints({-1})}, {{"keepdims", keep}});
      t.op(kind, {x, t.ints({0, 2})}, {{"keepdims", keep}});
      t.op(kind, {x}, {{"keepdims", keep}});
      t.op(kind, {y, t.ints({0})}, {{"keepdims", keep}});
      t.op(kind, {y, t.ints({0, 1})}, {{"keepdims", keep}});
    }
    t.Expect(0.5f, 1.5f);
  }
}

TEST(NcnnReshape, FormsAndOrders) {
  Case t;
  Value* x = t.x({1, 4, 6, 5});
  t.op(OpKind::kFlatten, {x});
  t.op(OpKind::kReshape, {x, t.ints({1, 8, 15})});
  t.op(OpKind::kReshape, {x, t.ints({4, 30})});
  t.op(OpKind::kReshape, {x, t.ints({1, 2, 2, 6, 5})});
  t.op(OpKind::kUnsqueeze, {x, t.ints({4})});
  t.op(OpKind::kReshape, {x, t.ints({-1})});
  t.Expect();
}
TEST(NcnnReshape, EveryTransposition) {
  Ints order = {0, 1, 2, 3};
  do {
    SCOPED_TRACE(ToString(order));
    Case t;
    t.op(OpKind::kTranspose, {t.x({1, 3, 4, 5})}, {{"perm", order}});
    t.op(OpKind::kTranspose, {t.x({2, 3, 4, 5})}, {{"perm", order}});
    t.Expect(-1, 1, 0);
  } while (std::next_permutation(order.begin(), order.end()));
  Case t;
  t.op(OpKind::kTranspose, {t.x({1, 2, 3, 4, 5})}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  t.op(OpKind::kTranspose, {t.x({3, 4})});
  t.Expect(-1, 1, 0);
}
TEST(NcnnReshape, CaffeFlattening) {
  Case t;
  Value* x = t.op(OpKind::kTranspose, {t.x({1, 6, 3, 4})}, {{"perm", Ints{0, 3, 2, 1}}});
  t.op(OpKind::kGemm, {t.op(OpKind::kFlatten, {x}), t.c({5, 72}), t.c({5})}, {{"transB", int64_t{1}}});
  t.Expect();
}
TEST(NcnnReshape, ShuffledChannelsOfUnknownSizes) {
  Case t;
  Value* x = t.x({1, 6, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* y = t.op(OpKind::kReshape, {x, t.ints({1, 6, -1})});
  t.op(OpKind::kTranspose, {y}, {{"perm", Ints{0, 2, 1}}});
  t.Expect(-1, 1, 0, {{"H", 5}, {"W", 7}});
}
TEST(NcnnReshape, BlocksAndTiles) {
  Case t;
  Value* x = t.x({1, 8, 4, 6});
  t.op(OpKind::kDepthToSpace, {x}, {{"blocksize", int64_t{2}}, {"mode", std::string("DCR")}});
  t.op(OpKind::kDepthToSpace, {x}, {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}});
  t.op(OpKind::kSpaceToDepth, {x}, {{"blocksize", int64_t{2}}});
  t.op(OpKind::kTile, {x, t.ints({1, 2, 1, 3})});
  t.op(OpKind::kTile, {t.x({3, 4}), t.ints({2, 2})});
  t.op(OpKind::kExpand, {t.x({1, 3, 1, 5}), t.ints({1, 3, 4, 5})});
  t.op(OpKind::kExpand, {t.x({5}), t.ints({1, 3, 4, 5})});
  t.Expect(-1, 1, 0);
}

TEST(NcnnSlice, Cuts) {
  Case t;
  Value* x = t.x({1, 8, 9, 10});
  t.op(OpKind::kSlice, {x, t.ints({2}), t.ints({6}), t.ints({1})});
  t.op(OpKind::kSlice, {x, t.ints({1, -4}), t.ints({-1, INT64_MAX}), t.ints({2, 3})});
  t.op(OpKind::kSlice, {x, t.ints({1, 0}), t.ints({INT64_MAX, INT64_MAX}), t.ints({2, 3}), t.ints({2, 2})});
  t.op(OpKind::kSlice, {x, t.ints({-1}), t.ints({INT64_MIN}), t.ints({3}), t.ints({-1})});
  t.op(OpKind::kSlice, {t.x({6, 5}), t.ints({1}), t.ints({4})});
  t.op(OpKind::kSlice, {t.x({1, 2, 3, 4, 5}), t.ints({1, 1}), t.ints({3, 4}), t.ints({2, 4})});
  t.op(OpKind::kGather, {x, t.ints({3})}, {{"axis", int64_t{1}}});
  t.op(OpKind::kGather, {x, t.graph->AddConstant("s", Tensor::From<int64_t>({}, {-1}))}, {{"axis", int64_t{2}}});
  t.Expect(-1, 1, 0);
}
TEST(NcnnSlice, PartsAndJoins) {
  Case t;
  Value* x = t.x({1, 9, 4, 5});
  t.op(OpKind::kSplit, {x, t.ints({2, 3, 4})}, {{"axis", int64_t{1}}}, 3);
  Node* parts = t.last;
  t.op(OpKind::kConcat, {parts->output(2), parts->output(0), x}, {{"axis", int64_t{1}}});
  t.op(OpKind::kConcat, {x, t.c({1, 9, 2, 5})}, {{"axis", int64_t{-2}}});
  t.op(OpKind::kConcat, {t.x({1, 3}), t.x({1, 3})}, {{"axis", int64_t{0}}});
  t.op(OpKind::kConcat, {t.x({4}), t.x({3})}, {{"axis", int64_t{0}}});
  t.op(OpKind::kConcat, {t.x({2, 4}), t.x({3, 4})}, {{"axis", int64_t{0}}});
  t.Expect(-1, 1, 0);
}
TEST(NcnnSlice, Pads) {
  Case t;
  Value* x = t.x({1, 3, 6, 7});
  t.op(OpKind::kPad, {x, t.ints({0, 0, 1, 2, 0, 0, 3, 0}), t.number(0.5f)});
  t.op(OpKind::kPad, {x, t.ints({0, 0, 1, 2, 0, 0, 3, 1})}, {{"mode", std::string("reflect")}});
  t.op(OpKind::kPad, {x, t.ints({0, 0, 1, 2, 0, 0, 3, 1})}, {{"mode", std::string("edge")}});
  t.op(OpKind::kPad, {x, t.ints({0, 1, 0, 0, 0, 2, 0, 0}), t.number(-1)});
  t.op(OpKind::kPad, {t.x({5}), t.ints({2, 1})});
  t.op(OpKind::kPad, {t.x({1, 4, 5}), t.ints({0, 1, 2, 0, 0, 1})});
  t.Expect(-1, 1, 0);
}

TEST(NcnnResize, ModesAndCoordinates) {
  for (const auto& [mode, coordinates] :
       std::vector<std::pair<std::string, std::string>>{{"nearest", "asymmetric"},
                                                        {"linear", "half_pixel"},
                                                        {"linear", "align_corners"},
                                                        {"linear", "pytorch_half_pixel"},
                                                        {"cubic", "half_pixel"},
                                                        {"cubic", "align_corners"}}) {
    SCOPED_TRACE(mode + " " + coordinates);
    Case t;
    Value* x = t.x({1, 3, 5, 6});
    const std::vector<std::pair<std::string, AttributeValue>> attributes = {
        {"mode", mode}, {"coordinate_transformation_mode", coordinates}, {"nearest_mode", std::string("floor")}};
    t.op(OpKind::kResize, {x, nullptr, t.graph->AddConstant("scales", Tensor::Float32s({1, 1, 2, 3}))}, attributes);
    t.op(OpKind::kResize, {x, nullptr, nullptr, t.ints({1, 3, 9, 4})}, attributes);
    t.Expect();
  }
  Case t;
  t.op(OpKind::kResize, {t.x({1, 3, 4, 4}), nullptr, t.graph->AddConstant("scales", Tensor::Float32s({1, 1, 3, 2}))},
       {{"mode", std::string("nearest")}});
  t.op(OpKind::kResize, {t.x({1, 3, 1, 1}), nullptr, nullptr, t.ints({1, 3, 4, 5})}, {{"mode", std::string("linear")}});
  t.Expect();
}
TEST(NcnnResize, UnknownSizes) {
  Case t;
  t.op(OpKind::kResize,
       {t.x({1, 3, Dim::Symbol("H"), Dim::Symbol("W")}), nullptr,
        t.graph->AddConstant("scales", Tensor::Float32s({1, 1, 2, 2}))},
       {{"mode", std::string("linear")}});
  t.Expect(-1, 1, 1e-5, {{"H", 5}, {"W", 8}});
}

TEST(NcnnNormalization, All) {
  Case t;
  Value* x = t.x({1, 6, 5, 7});
  t.op(OpKind::kBatchNormalization, {x, t.c({6}), t.c({6}), t.c({6}), t.c({6}, 0.5f, 2)}, {{"epsilon", 1e-3f}});
  t.op(OpKind::kInstanceNormalization, {x, t.c({6}), t.c({6})}, {{"epsilon", 1e-4f}});
  t.op(OpKind::kLayerNormalization, {x, t.c({7}), t.c({7})}, {{"axis", int64_t{-1}}});
  t.op(OpKind::kLayerNormalization, {x, t.c({6, 5, 7})}, {{"axis", int64_t{1}}});
  t.op(OpKind::kLayerNormalization, {t.x({1, 9, 16}), t.c({16}), t.c({16})},
       {{"axis", int64_t{-1}}, {"epsilon", 1e-6f}});
  t.op(OpKind::kLRN, {x}, {{"size", int64_t{3}}, {"alpha", 0.02f}, {"beta", 0.7f}, {"bias", 1.5f}});
  t.op(OpKind::kInstanceNormalization, {t.x({1, 3, 11}), t.c({3}), t.c({3})});
  t.op(OpKind::kMeanVarianceNormalization, {x});
  t.Expect(-2, 2, 2e-5);
}

TEST(NcnnNormalization, BatchNormOfSamples) {
  Case t;
  t.op(OpKind::kBatchNormalization, {t.x({4, 6}), t.c({6}), t.c({6}), t.c({6}), t.c({6}, 0.5f, 2)});
  t.op(OpKind::kBatchNormalization, {t.x({2, 3, 4, 5}), t.c({3}), t.c({3}), t.c({3}), t.c({3}, 0.5f, 2)},
       {{"epsilon", 0.01f}});
  t.Expect();
}

TEST(NcnnSoftmax, EveryAxis) {
  Case t;
  Value *x = t.x({1, 3, 4, 5}), *y = t.x({3, 4, 5}), *z = t.x({1, 9});
  for (const int64_t axis : {0, 1, 2, 3}) {
    t.op(OpKind::kSoftmax, {x}, {{"axis", axis}});
    t.op(OpKind::kLogSoftmax, {x}, {{"axis", axis}});
    if (axis < 3) t.op(OpKind::kSoftmax, {y}, {{"axis", axis}});
    if (axis < 2) t.op(OpKind::kSoftmax, {z}, {{"axis", axis}});
  }
  t.Expect(-4, 4);
}

TEST(NcnnGraph, AnInputThatIsAnOutputAndManyReaders) {
  Case t;
  Value* x = t.x({1, 3, 4, 5});
  Value* y = t.op(OpKind::kRelu, {x});
  t.op(OpKind::kAdd, {y, y});
  t.op(OpKind::kMul, {y, x});
  t.graph->AddOutput(x);
  t.graph->AddOutput(y);
  t.Expect();
}
TEST(NcnnGraph, BatchLeftOpenBecomesOne) {
  Case t;
  Value* x = t.op(OpKind::kConv, {t.x({Dim::Symbol("batch"), 3, 8, 8}), t.c({4, 3, 3, 3})});
  t.op(OpKind::kReshape, {x, t.ints({0, -1})});
  t.Expect(-1, 1, 1e-5, {{"batch", 1}});
}
TEST(NcnnGraph, NamesThatTheFormatCannotHold) {
  Case t;
  Value* x = t.graph->AddInput("image 0\n=é", DataType::kFloat32, {1, 3, 4, 5});
  Value* y = t.op(OpKind::kRelu, {x});
  t.graph->Rename(y, "a b");
  Value* z = t.op(OpKind::kNeg, {y});
  t.graph->Rename(z, "a_b");
  t.graph->AddOutput(y);
  t.Expect();
}
TEST(NcnnGraph, WholeNumbersAreRefused) {
  Case t;
  Value* x = t.graph->AddInput("x", DataType::kInt64, {1, 4});
  t.graph->AddOutput(t.op(OpKind::kAdd, {x, x}));
  ASSERT_TRUE(MakeInferShapes()->Run(*t.graph).ok());
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-ncnn-case-");
  const auto emitted = ConvertToNcnn(*t.graph, folder->path());
  EXPECT_EQ(emitted.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(Message(emitted.status()).find("int64"), std::string::npos) << emitted.status();
}

}  // namespace
}  // namespace slipway::testing
