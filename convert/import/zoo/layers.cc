#include "convert/import/zoo/layers.h"

#include <fmt/format.h>

namespace slipway {

Value* AddConvBnAct(Builder& build, Value* x, const ConvBnAct& layer) {
  x = build.Conv2d(x, layer.conv, layer.in, layer.out, layer.kernel,
                   {.stride = layer.stride, .padding = layer.kernel / 2, .groups = layer.groups, .bias = false});
  x = build.BatchNorm2d(x, layer.bn, layer.out, layer.epsilon);
  return build.Activate(x, layer.act, layer.activation);
}

Value* AddSqueezeExcite(Builder& build, Value* x, const SqueezeExcite& layer) {
  const auto name = [&](std::string_view part) { return fmt::format("{}.{}", layer.name, part); };
  Value* scale = build.GlobalAvgPool(x, name("avgpool"));
  scale = build.Conv2d(scale, layer.reduce, layer.channels, layer.squeezed, 1);
  scale = build.Activate(scale, name("activation"), layer.inner);
  scale = build.Conv2d(scale, layer.expand, layer.squeezed, layer.channels, 1);
  scale = build.Activate(scale, name("scale_activation"), layer.gate);
  return build.Multiply(x, scale, layer.name);
}

}  // namespace slipway
