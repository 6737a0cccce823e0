// Activations, arithmetic, logic, reductions and normalisations: what ncnn computes against what onnxruntime computes.
#include <algorithm>
#include <cmath>

#include "tests/ncnn/case.h"

namespace slipway::testing {
namespace {

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
  t.op(OpKind::kPow, {x, t.op(OpKind::kExp, {t.x({4, 5})})});
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

}  // namespace
}  // namespace slipway::testing
