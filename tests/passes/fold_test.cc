#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Fold(GraphMaker& make, const std::map<std::string, int64_t>& sizes = {}) {
  return ExpectSameAfter(
      [](Graph& graph) {
        RETURN_IF_ERROR(MakeFoldConstants()->Run(graph).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, sizes);
}

// x.view(x.size(0), 2, x.size(1) / 2, -1), as exporters write it.
TEST(Fold, ShapeArithmeticWithASymbolBecomesOneReshape) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 6, 4, 5});
  Value* shape = make.Op(kShape, {x});
  const auto size = [&](int64_t axis) {
    return make.Op(kGather, {shape, make.Constant(Tensor::From<int64_t>({}, {axis}))});
  };
  Value* half = make.Op(kDiv, {size(1), make.Constant(Tensor::From<int64_t>({}, {2}))});
  std::vector<Value*> parts;
  for (Value* part :
       {size(0), make.Constant(Tensor::From<int64_t>({}, {2})), half, make.Constant(Tensor::From<int64_t>({}, {-1}))}) {
    parts.push_back(make.Op(kUnsqueeze, {part, make.Ints({0})}));
  }
  Value* y = make.Op(kReshape, {x, make.Op(kConcat, parts, Attrs().Int("axis", 0))});
  EXPECT_EQ(ToString(*y->shape), "[N, 2, 3, 20]");
  make.Out(make.Op(kRelu, {y}));
  EXPECT_EQ(Fold(make, {{"N", 3}})->node_count(), 2u);
}

TEST(Fold, IdentitiesGo) {
  GraphMaker make;
  Value* x = make.In({2, 3, 4});
  Value* y = make.Op(kRelu, {x});
  y = make.Op(kIdentity, {y});
  y = make.Op(kAdd, {y, make.Constant(Tensor::Scalar(0))});
  y = make.Op(kMul, {make.Constant(Tensor::Scalar(1)), y});
  y = make.Op(kTranspose, {make.Op(kTranspose, {y}, Attrs().Ints("perm", {1, 2, 0}))}, Attrs().Ints("perm", {2, 0, 1}));
  y = make.Op(kReshape, {make.Op(kReshape, {y, make.Ints({6, 4})}), make.Ints({2, 3, 4})});
  y = make.Op(kPad, {y, make.Ints({0, 0, 0, 0, 0, 0})});
  y = make.Op(kSlice, {y, make.Ints({0}), make.Ints({100}), make.Ints({1})});
  y = make.Op(kCast, {y}, Attrs().Int("to", ElementTypeCode(DataType::kFloat32)));
  make.Out(y);
  EXPECT_EQ(Fold(make)->node_count(), 1u);
}

// Additions that broadcast and slices that reverse look like identities and are none.
TEST(Fold, WhatChangesSomethingStays) {
  GraphMaker make;
  Value* x = make.In({1, 4});
  Value* reversed = make.Op(kSlice, {x, make.Ints({-1}), make.Ints({-100}), make.Ints({1}), make.Ints({-1})});
  for (Value* changed : {make.Op(kAdd, {x, make.Constant(RandomTensor({3, 4}, 1, 0, 0))}), reversed,
                         make.Op(kMul, {x, make.Constant(Tensor::Float32s({1, 1, 1, 2}))})}) {
    make.Out(make.Op(kNeg, {changed}));
  }
  EXPECT_EQ(Fold(make)->node_count(), 6u);
}

TEST(Fold, LargeResultsAreNotMade) {
  GraphMaker make;
  make.Out(make.Op(kConstantOfShape, {make.Ints({512, 512})}));
  make.Out(make.Op(kConstantOfShape, {make.Ints({8, 8})}));
  const auto after = Fold(make);
  EXPECT_EQ(CountKind(*after, kConstantOfShape), 1);
}

TEST(Fold, RulesThatNeverEndAreNamed) {
  class Swap final : public Rule {
   public:
    std::string_view name() const override { return "swap-forever"; }
    std::span<const OpKind> kinds() const override { return {&kind_, 1}; }
    absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
      node.attributes.Set("turn", node.attributes.Int("turn", 0) + 1);
      return true;
    }

   private:
    OpKind kind_ = kRelu;
  };
  GraphMaker make;
  make.Out(make.Op(kRelu, {make.In({1})}));
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(std::make_unique<Swap>());
  const auto result = ApplyRules(*make.graph, rules);
  ASSERT_EQ(result.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Message(result.status()), ::testing::HasSubstr("swap-forever"));
}

// A rule may write a node as many: the other rules try each of them, however far it is from what was there.
TEST(Fold, AllThatARuleMadeIsTried) {
  class Lengthen final : public Rule {
   public:
    std::string_view name() const override { return "lengthen"; }
    std::span<const OpKind> kinds() const override { return {&kind_, 1}; }
    absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
      Value* x = node.input(0);
      for (int i = 0; i < 9; ++i) {
        ASSIGN_OR_RETURN(Node* const added, AddInferred(graph, i == 4 ? kAbs : kSigmoid, {x}, "long", {}, &node));
        x = added->output();
      }
      RETURN_IF_ERROR(Rewrite(graph, node, kTanh, {x}, {}));
      return true;
    }

   private:
    OpKind kind_ = kRelu;
  };
  class Exchange final : public Rule {
   public:
    std::string_view name() const override { return "exchange"; }
    std::span<const OpKind> kinds() const override { return {&kind_, 1}; }
    absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
      RETURN_IF_ERROR(Rewrite(graph, node, kNeg, {node.input(0)}, {}));
      return true;
    }

   private:
    OpKind kind_ = kAbs;
  };
  GraphMaker make;
  make.Out(make.Op(kRelu, {make.In({1})}));
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(std::make_unique<Lengthen>());
  rules.push_back(std::make_unique<Exchange>());
  ASSERT_TRUE(ApplyRules(*make.graph, rules).ok());
  EXPECT_EQ(CountKind(*make.graph, kAbs), 0);
  EXPECT_EQ(CountKind(*make.graph, kNeg), 1);
}

TEST(Fold, DeadCodeGoes) {
  GraphMaker make;
  Value* x = make.In({2});
  make.Op(kExp, {make.Op(kRelu, {x})});
  make.Out(make.Op(kNeg, {x}));
  EXPECT_EQ(ExpectSameAfter(*MakeRemoveDead(), *make.graph)->node_count(), 1u);
}

// Every kernel of the evaluator against onnxruntime: the same node of inputs, and of constants.
void ExpectEvaluated(OpKind kind, const std::vector<Tensor>& operands, const Attributes& attributes = {}) {
  SCOPED_TRACE(Name(kind));
  GraphMaker at_run_time, of_constants;
  std::vector<Value*> inputs, constants;
  NamedTensors feeds;
  for (const Tensor& operand : operands) {
    inputs.push_back(at_run_time.graph->AddInput("", operand.type(), ToShape(operand.shape())));
    feeds.emplace_back(inputs.back()->name, operand);
    constants.push_back(of_constants.Constant(operand));
  }
  at_run_time.Out(at_run_time.Op(kind, inputs, attributes));
  of_constants.Out(of_constants.Op(kind, constants, attributes));
  const auto expected = RunInOnnxruntime(*at_run_time.graph, feeds);
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_TRUE(MakeFoldConstants()->Run(*of_constants.graph).ok());
  const Value* folded = of_constants.graph->outputs()[0];
  ASSERT_TRUE(folded->IsConstant());
  EXPECT_EQ(folded->type, (*expected)[0].second.type());
  EXPECT_LT(Difference((*expected)[0].second, *folded->constant), 2e-7);
}

TEST(Evaluate, ArithmeticOfFloatsAndIntegers) {
  const Tensor a = RandomTensor({2, 3, 4}, 1, -4, 4), b = RandomTensor({3, 1}, 2, 1, 4);
  const Tensor m = RandomTensor({2, 3}, 3, -90, 90).Cast(DataType::kInt64),
               n = RandomTensor({3}, 4, 1, 9).Cast(DataType::kInt64);
  for (OpKind kind : {kAdd, kSub, kMul, kDiv, kMin, kMax}) {
    ExpectEvaluated(kind, {a, b});
    ExpectEvaluated(kind, {m, n});
    ExpectEvaluated(kind, {m.Cast(DataType::kInt32), n.Cast(DataType::kInt32)});
  }
  for (OpKind kind : {kEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual}) ExpectEvaluated(kind, {m, n});
  ExpectEvaluated(kMod, {m, n});
  ExpectEvaluated(kMod, {a, b}, Attrs().Int("fmod", 1));
  ExpectEvaluated(kPow, {b, a});
  ExpectEvaluated(kSum, {a, b, b});
  ExpectEvaluated(kMean, {a, b, b});
}

TEST(Evaluate, UnaryFunctions) {
  for (OpKind kind : {kRelu,        kLeakyRelu, kThresholdedRelu,
                      kElu,         kSelu,      kSigmoid,
                      kHardSigmoid, kHardSwish, kTanh,
                      kSoftplus,    kSoftsign,  kExp,
                      kFloor,       kCeil,      kRound,
                      kErf,         kSin,       kCos,
                      kTan,         kAsin,      kAcos,
                      kAtan,        kSinh,      kCosh,
                      kAsinh,       kAtanh,     kAbs,
                      kNeg,         kSign,      kReciprocal}) {
    ExpectEvaluated(kind, {RandomTensor({5, 7}, 1, -0.95f, 0.95f)});
  }
  ExpectEvaluated(kLog, {RandomTensor({9}, 1, 0.1f, 5)});
  ExpectEvaluated(kSqrt, {RandomTensor({9}, 1, 0.1f, 5)});
  ExpectEvaluated(kAcosh, {RandomTensor({9}, 1, 1.1f, 5)});
  ExpectEvaluated(kClip, {RandomTensor({9}, 1), Tensor::Scalar(-0.5f), Tensor::Scalar(0.25f)});
  ExpectEvaluated(kCast, {RandomTensor({9}, 1, -9, 9)}, Attrs().Int("to", ElementTypeCode(DataType::kInt32)));
}

TEST(Evaluate, Movement) {
  const Tensor x = RandomTensor({2, 3, 4}, 1);
  ExpectEvaluated(kTranspose, {x}, Attrs().Ints("perm", {2, 0, 1}));
  ExpectEvaluated(kReshape, {x, Tensor::Int64s({0, -1})});
  ExpectEvaluated(kFlatten, {x}, Attrs().Int("axis", 2));
  ExpectEvaluated(kUnsqueeze, {x, Tensor::Int64s({0, -1})});
  ExpectEvaluated(
      kSlice, {x, Tensor::Int64s({-1, 1}), Tensor::Int64s({-100, 9}), Tensor::Int64s({2, 1}), Tensor::Int64s({-2, 1})});
  ExpectEvaluated(kConcat, {x, x}, Attrs().Int("axis", 1));
  ExpectEvaluated(kPad, {x, Tensor::Int64s({0, 1, 2, 1, 0, 1})});
  ExpectEvaluated(kPad, {x, Tensor::Int64s({0, 1, 2, 0, 2, 3})}, Attrs().Text("mode", "reflect"));
  ExpectEvaluated(kPad, {x, Tensor::Int64s({1, 1, 2, 1, 0, 1})}, Attrs().Text("mode", "edge"));
  ExpectEvaluated(kExpand, {RandomTensor({3, 1}, 2), Tensor::Int64s({2, 1, 4})});
  ExpectEvaluated(kTile, {x, Tensor::Int64s({1, 2, 3})});
  ExpectEvaluated(kGather, {x, Tensor::From<int64_t>({2, 2}, {0, -1, 2, 1})}, Attrs().Int("axis", 1));
  ExpectEvaluated(kGatherElements, {x, Tensor::From<int64_t>({1, 2, 2}, {0, -1, 2, 1})}, Attrs().Int("axis", 2));
  ExpectEvaluated(kGatherND, {x, Tensor::From<int64_t>({2, 2}, {0, 1, 1, -1})});
  ExpectEvaluated(kScatterND, {x, Tensor::From<int64_t>({2, 1}, {1, 0}), RandomTensor({2, 3, 4}, 5)});
  ExpectEvaluated(kTrilu, {x}, Attrs().Int("upper", 0));
  ExpectEvaluated(kWhere, {Tensor::From<float>({3, 1}, {1, 0, 1}).Cast(DataType::kBool), x, RandomTensor({4}, 3)});
  ExpectEvaluated(kRange,
                  {Tensor::From<int64_t>({}, {3}), Tensor::From<int64_t>({}, {-8}), Tensor::From<int64_t>({}, {-3})});
  ExpectEvaluated(kOneHot, {Tensor::Int64s({0, 3, -1}), Tensor::From<int64_t>({}, {4}), Tensor::Float32s({-1, 5})},
                  Attrs().Int("axis", 0));
  ExpectEvaluated(kCumSum, {x, Tensor::From<int64_t>({}, {1})}, Attrs().Int("exclusive", 1).Int("reverse", 1));
}

TEST(Evaluate, ReductionsAndProducts) {
  const Tensor x = RandomTensor({2, 3, 4}, 1, 0.5f, 2);
  for (OpKind kind : {kReduceMean, kReduceSum, kReduceMax, kReduceMin, kReduceProd, kReduceL1, kReduceL2, kReduceLogSum,
                      kReduceLogSumExp, kReduceSumSquare}) {
    ExpectEvaluated(kind, {x, Tensor::Int64s({-1, 0})}, Attrs().Int("keepdims", 0));
    ExpectEvaluated(kind, {x});
  }
  ExpectEvaluated(kArgMax, {x}, Attrs().Int("axis", 1));
  ExpectEvaluated(kArgMin, {x}, Attrs().Int("axis", -1).Int("keepdims", 0));
  ExpectEvaluated(kMatMul, {x, RandomTensor({4, 5}, 2)});
  ExpectEvaluated(kMatMul, {RandomTensor({4}, 3), RandomTensor({2, 4, 5}, 2)});
  ExpectEvaluated(kGemm, {RandomTensor({4, 2}, 3), RandomTensor({5, 4}, 2), RandomTensor({5}, 4)},
                  Attrs().Int("transA", 1).Int("transB", 1).Float("alpha", 0.5f).Float("beta", 3));
}

// torch.roll of a size that the shift passes, and slices to nowhere.
TEST(FoldConcat, PartsWithoutElementsGo) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, 4});
  Value* none = make.Op(kSlice, {x, make.Ints({3}), make.Ints({3}), make.Ints({1})});
  make.Out(make.Op(kConcat, {none, x, make.Op(kNeg, {x})}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kConcat, {x, none}, Attrs().Int("axis", 1)));
  const auto folded = ExpectSameAfter(*MakeFoldConstants(), *make.graph, {{"N", 2}});
  EXPECT_EQ(folded->outputs()[0]->producer->inputs.size(), 2u);
  EXPECT_NE(folded->outputs()[1]->producer->kind == kConcat && folded->outputs()[1]->producer->inputs.size() == 2,
            true);
}

// tf2onnx writes 10^9 for an end that TensorFlow's mask leaves out.
TEST(FoldSlice, EndsBeyondAnySizeAreTheEnd) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 6, Dim::Symbol("W")});
  const auto numbers = [&](std::vector<int64_t> values) {
    return make.Constant(Tensor::Int64s(values).Cast(DataType::kInt32));
  };
  make.Out(make.Op(kSlice, {x, numbers({0, 1, 0}), numbers({1000000000, 1000000000, 1000000000}), numbers({0, 1, 2})}));
  const auto folded = ExpectSameAfter(*MakeFoldConstants(), *make.graph, {{"N", 2}, {"W", 3}});
  EXPECT_EQ(ToString(*folded->outputs()[0]->shape), "[N, 5, W]");
}

}  // namespace
}  // namespace slipway::testing
