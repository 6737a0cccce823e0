// Convolutions, pools and products: what ncnn computes against what onnxruntime computes.
#include <algorithm>
#include <cmath>

#include "tests/ncnn/case.h"

namespace slipway::testing {
namespace {

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

TEST(NcnnConv, BatchBecomesOneMoreAxis) {
  {
    Case t;
    t.op(OpKind::kConv, {t.x({2, 3, 8, 9}), t.c({4, 3, 3, 3}), t.c({4})},
         {{"pads", Ints{0, 1, 2, 1}}, {"strides", Ints{2, 1}}});
    t.Expect();
  }
  {
    Case t;
    t.op(OpKind::kConv, {t.x({3, 4, 9}), t.c({4, 1, 3})}, {{"group", int64_t{4}}, {"dilations", Ints{2}}});
    t.Expect();
  }
  {
    Case t;
    t.op(OpKind::kConvTranspose, {t.x({2, 3, 4, 5}), t.c({3, 2, 3, 3})},
         {{"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 1, 1}}, {"output_padding", Ints{1, 0}}});
    t.Expect();
  }
}

TEST(NcnnConv, BatchOfBoxesIsRefusedWithAReason) {
  Case t;
  t.graph->AddOutput(t.op(OpKind::kConv, {t.x({2, 3, 8, 8, 8}), t.c({4, 3, 3, 3, 3})}));
  ASSERT_TRUE(MakeInferShapes()->Run(*t.graph).ok());
  const auto error = CompareWithOnnxruntime(*t.graph);
  EXPECT_EQ(error.status().code(), absl::StatusCode::kUnimplemented) << error.status();
  EXPECT_NE(Message(error.status()).find("four axes"), std::string::npos) << error.status();
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

}  // namespace
}  // namespace slipway::testing
