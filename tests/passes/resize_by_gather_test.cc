#include "convert/passes/resize_by_gather.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

void ExpectGathered(GraphMaker& make, const std::map<std::string, int64_t>& sizes) {
  const auto after = ExpectSameAfter(
      [](Graph& graph) -> absl::Status {
        for (const auto& node : graph.nodes()) {
          if (node->kind != kResize) continue;
          ASSIGN_OR_RETURN(const bool done, ResizeByGather(graph, *node));
          EXPECT_TRUE(done);
          return absl::OkStatus();
        }
        return absl::OkStatus();
      },
      *make.graph, sizes);
  EXPECT_EQ(CountKind(*after, kResize), 0);
  // Sizes that the source's inference knows are known still.
  const Shape &shape = *after->outputs()[0]->shape, &source = *make.graph->outputs()[0]->shape;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i].ToString().find('?') == std::string::npos) {
      EXPECT_EQ(shape[i].ToString(), source[i].ToString());
    }
  }
}

const Shape kImage = {Dim::Symbol("N"), 2, Dim::Symbol("H"), Dim::Symbol("W")};

// interpolate(x, size=y.shape[-2:]), larger and smaller.
TEST(ResizeByGather, ToAnothersSize) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates : {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"}) {
      SCOPED_TRACE(::testing::Message() << mode << " " << coordinates);
      GraphMaker make;
      Value *x = make.In(kImage), *y = make.In({Dim::Symbol("N"), 3, Dim::Symbol("P"), Dim::Symbol("Q")});
      Value* sizes = make.Op(
          kConcat,
          {make.Op(kShape, {x}, Attrs().Int("start", 0).Int("end", 2)), make.Op(kShape, {y}, Attrs().Int("start", 2))},
          Attrs().Int("axis", 0));
      make.Out(make.Op(kResize, {x, nullptr, nullptr, sizes},
                       Attrs().Text("mode", mode).Text("coordinate_transformation_mode", coordinates)));
      ExpectGathered(make, {{"N", 2}, {"H", 5}, {"W", 9}, {"P", 11}, {"Q", 4}});
    }
  }
}

TEST(ResizeByGather, ByScalesAndToFixedSizes) {
  GraphMaker make;
  Value* scales = make.Constant(Tensor::Float32s({1, 1, 1.5f, 0.5f}));
  make.Out(make.Op(kResize, {make.In(kImage), nullptr, scales}, Attrs().Text("mode", "linear")));
  ExpectGathered(make, {{"N", 1}, {"H", 6}, {"W", 8}});
  GraphMaker fixed;
  Value* x = fixed.In(kImage);
  Value* sizes = fixed.Op(kConcat, {fixed.Op(kShape, {x}, Attrs().Int("start", 0).Int("end", 2)), fixed.Ints({7, 3})},
                          Attrs().Int("axis", 0));
  fixed.Out(fixed.Op(kResize, {x, nullptr, nullptr, sizes}, Attrs().Text("mode", "cubic")));
  ExpectGathered(fixed, {{"N", 1}, {"H", 6}, {"W", 8}});
}

TEST(ResizeByGather, RoundingOfTheNearest) {
  for (const char* rounding : {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"}) {
    SCOPED_TRACE(rounding);
    GraphMaker make;
    Value* x = make.In(kImage);
    Value* scales = make.Constant(Tensor::Float32s({1, 1, 2, 3}));
    make.Out(make.Op(kResize, {x, nullptr, scales}, Attrs().Text("nearest_mode", rounding)));
    ExpectGathered(make, {{"N", 1}, {"H", 5}, {"W", 4}});
  }
}

}  // namespace
}  // namespace slipway::testing
