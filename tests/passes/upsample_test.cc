// Upsampling as convolution, against onnxruntime's Resize and ConvTranspose.
#include "convert/passes/upsample.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

// Rewrites every node by the function; the numbers stay, and nothing of `kind` does.
void ExpectRewritten(GraphMaker& make, OpKind kind, absl::StatusOr<bool> (*rewrite)(Graph&, Node&),
                     const std::map<std::string, int64_t>& sizes) {
  const auto pass = [&](Graph& graph) -> absl::Status {
    std::vector<Node*> nodes;
    for (const auto& node : graph.nodes()) {
      if (node->kind == kind) nodes.push_back(node.get());
    }
    for (Node* node : nodes) RETURN_IF_ERROR(rewrite(graph, *node).status());
    return absl::OkStatus();
  };
  const auto after = ExpectSameAfter(pass, *make.graph, sizes);
  EXPECT_EQ(CountKind(*after, kind), 0);
}

TEST(Upsample, ResizeIsAConvolutionAndAShuffle) {
  for (const auto& [mode, coordinates, factor] :
       std::vector<std::tuple<std::string, std::string, float>>{{"cubic", "half_pixel", 2},
                                                                {"cubic", "asymmetric", 3},
                                                                {"linear", "half_pixel", 2},
                                                                {"linear", "pytorch_half_pixel", 5},
                                                                {"linear", "asymmetric", 4},
                                                                {"nearest", "asymmetric", 2},
                                                                {"nearest", "half_pixel", 3}}) {
    SCOPED_TRACE(mode + " " + coordinates);
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
    Value* scales = make.Constant(Tensor::Float32s({1, 1, factor, factor}));
    make.Out(make.Op(kResize, {x, nullptr, scales},
                     Attrs().Text("mode", mode).Text("coordinate_transformation_mode", coordinates)));
    ExpectRewritten(make, kResize, ResizeByConvolution, {{"N", 2}, {"H", 5}, {"W", 7}});
  }
}

// A scale that rounding hides, corners, and pixels outside left out are not shift-invariant.
TEST(Upsample, OtherResizesStay) {
  const auto attributes = Attrs().Text("mode", "cubic");
  for (const auto& [given, scale] :
       std::vector<std::pair<Attrs, float>>{{attributes, 2.1f},
                                            {attributes.Text("coordinate_transformation_mode", "align_corners"), 2.0f},
                                            {attributes.Int("exclude_outside", 1), 2.0f}}) {
    GraphMaker make;
    Value* x = make.In({1, 2, 4, 4});
    make.Out(make.Op(kResize, {x, nullptr, make.Constant(Tensor::Float32s({1, 1, scale, scale}))}, given));
    const auto changed = ResizeByConvolution(*make.graph, *make.graph->nodes().front());
    EXPECT_TRUE(changed.ok() && !*changed);
  }
}

TEST(Upsample, TransposedIsAConvolutionAndAShuffle) {
  struct Case {
    int64_t kernel, stride, dilation, begin, end, output_padding, groups;
  };
  for (const Case& c :
       {Case{2, 2, 1, 0, 0, 0, 1}, Case{4, 2, 1, 1, 1, 0, 1}, Case{3, 2, 1, 1, 1, 1, 1}, Case{3, 1, 1, 1, 0, 0, 2},
        Case{3, 3, 2, 0, 2, 2, 2}, Case{1, 2, 1, 0, 0, 1, 1}, Case{5, 4, 1, 2, 3, 3, 1}}) {
    SCOPED_TRACE(::testing::Message() << c.kernel << " by " << c.stride << ", output padding " << c.output_padding);
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 4, Dim::Symbol("H"), 6});
    make.Out(make.Op(kConvTranspose, {x, make.Random({4, 6 / c.groups, c.kernel, c.kernel}), make.Random({6})},
                     Attrs()
                         .Ints("strides", {c.stride, c.stride})
                         .Ints("dilations", {c.dilation, c.dilation})
                         .Ints("pads", {c.begin, c.begin, c.end, c.end})
                         .Ints("output_padding", {c.output_padding, c.output_padding})
                         .Int("group", c.groups)));
    ExpectRewritten(make, kConvTranspose, TransposedByConvolution, {{"N", 2}, {"H", 5}});
  }
}

}  // namespace
}  // namespace slipway::testing
