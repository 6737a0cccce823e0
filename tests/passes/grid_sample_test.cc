#include "convert/passes/grid_sample.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

TEST(GridSample, EveryModePaddingAndAlignment) {
  for (const char* mode : {"bilinear", "nearest", "bicubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const int64_t corners : {0, 1}) {
        SCOPED_TRACE(::testing::Message() << mode << " " << padding << " " << corners);
        GraphMaker make;
        Value* x = make.In({Dim::Symbol("N"), 3, 5, 7});
        Value* grid = make.Op(kMul, {make.In({Dim::Symbol("N"), 4, 6, 2}), make.Constant(Tensor::Scalar(1.7f))});
        make.Out(make.Op(kGridSample, {x, grid},
                         Attrs().Text("mode", mode).Text("padding_mode", padding).Int("align_corners", corners)));
        std::vector<std::unique_ptr<Rule>> rules;
        rules.push_back(MakeGridSampleByGather());
        const auto after =
            ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}});
        EXPECT_EQ(CountKind(*after, kGridSample), 0);
      }
    }
  }
}

}  // namespace
}  // namespace slipway::testing
