#include "convert/import/zoo/resnet.h"

#include <fmt/format.h>

#include <array>

#include "convert/import/zoo/layers.h"

namespace slipway {
namespace {

// A stage's block: of two 3×3 convolutions, or a bottleneck of 1×1, 3×3 (with the stride) and 1×1.
Value* Block(Builder& build, Value* x, const std::string& name, int64_t in, int64_t width, int64_t stride,
             bool bottleneck) {
  const int64_t out = bottleneck ? width * 4 : width;
  struct Layer {
    int64_t kernel, channels, stride;
  };
  const std::vector<Layer> layers = bottleneck ? std::vector<Layer>{{1, width, 1}, {3, width, stride}, {1, out, 1}}
                                               : std::vector<Layer>{{3, width, stride}, {3, width, 1}};
  Value* shortcut = x;
  int64_t channels = in;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string conv = fmt::format("{}.conv{}", name, i + 1), bn = fmt::format("{}.bn{}", name, i + 1),
                      act = fmt::format("{}.relu{}", name, i + 1);
    const bool last = i + 1 == layers.size();
    x = AddConvBnAct(build, x,
                     {.conv = conv,
                      .bn = bn,
                      .act = act,
                      .in = channels,
                      .out = layers[i].channels,
                      .kernel = layers[i].kernel,
                      .stride = layers[i].stride,
                      .activation = last ? Activation::kNone : Activation::kRelu});
    channels = layers[i].channels;
  }
  if (stride != 1 || in != out) {
    const std::string conv = name + ".downsample.0", bn = name + ".downsample.1";
    shortcut = AddConvBnAct(build, shortcut,
                            {.conv = conv,
                             .bn = bn,
                             .act = {},
                             .in = in,
                             .out = out,
                             .kernel = 1,
                             .stride = stride,
                             .activation = Activation::kNone});
  }
  return build.Activate(build.Add(x, shortcut, name + ".add"), name, Activation::kRelu);
}

void Resnet(Builder& build, int64_t size, const std::array<int, 4>& blocks, bool bottleneck) {
  Value* x = build.Input("image", {1, 3, size, size});
  x = AddConvBnAct(build, x,
                   {.conv = "conv1", .bn = "bn1", .act = "relu", .in = 3, .out = 64, .kernel = 7, .stride = 2});
  x = build.MaxPool2d(x, "maxpool", 3, 2, false, 1);
  int64_t channels = 64;
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage;
    for (int block = 0; block < blocks[static_cast<size_t>(stage)]; ++block) {
      x = Block(build, x, fmt::format("layer{}.{}", stage + 1, block), channels, width, stage > 0 && block == 0 ? 2 : 1,
                bottleneck);
      channels = bottleneck ? width * 4 : width;
    }
  }
  x = build.Flatten(build.GlobalAvgPool(x, "avgpool"), "flatten");
  build.Output(build.Linear(x, "fc", channels, build.classes()), "logits");
}

}  // namespace

void BuildResnet18(Builder& build, int64_t size) { Resnet(build, size, {2, 2, 2, 2}, false); }
void BuildResnet34(Builder& build, int64_t size) { Resnet(build, size, {3, 4, 6, 3}, false); }
void BuildResnet50(Builder& build, int64_t size) { Resnet(build, size, {3, 4, 6, 3}, true); }

}  // namespace slipway
