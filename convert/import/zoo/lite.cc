#include "convert/import/zoo/lite.h"

#include <fmt/format.h>

#include "convert/import/zoo/layers.h"

namespace slipway {

void BuildLite(Builder& build, int64_t size) {
  const auto layer = [&](Value* x, const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                         int64_t groups) {
    const std::string conv = name + ".conv", bn = name + ".bn";
    return AddConvBnAct(build, x,
                        {.conv = conv,
                         .bn = bn,
                         .act = name,
                         .in = in,
                         .out = out,
                         .kernel = kernel,
                         .stride = stride,
                         .groups = groups,
                         .activation = Activation::kRelu6});
  };
  Value* x = layer(build.Input("image", {1, 3, size, size}), "stem", 3, 16, 3, 2, 1);
  int64_t channels = 16;
  for (int block = 0; block < 4; ++block) {
    const std::string name = fmt::format("blocks.{}", block);
    x = layer(x, name + ".dw", channels, channels, 3, 2, channels);
    x = layer(x, name + ".pw", channels, channels * 2, 1, 1, 1);
    channels *= 2;
  }
  x = build.Flatten(build.GlobalAvgPool(x, "pool"), "flatten");
  build.Output(build.Linear(x, "head", channels, build.classes()), "logits");
}

}  // namespace slipway
