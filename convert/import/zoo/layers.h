// Groups of layers that several families share.
#pragma once

#include <string_view>

#include "convert/import/zoo/builder.h"

namespace slipway {

struct ConvBnAct {
  std::string_view conv, bn, act;  // modules
  int64_t in, out, kernel;
  int64_t stride = 1, groups = 1;  // padding: kernel / 2
  Activation activation = Activation::kRelu;
  float epsilon = 1e-5f;
};
// A convolution without bias, its normalisation, and an activation.
Value* AddConvBnAct(Builder& build, Value* x, const ConvBnAct& layer);

struct SqueezeExcite {
  std::string_view reduce, expand;  // modules: 1×1 convolutions with bias
  std::string_view name;            // of what has no weights
  int64_t channels, squeezed;
  Activation inner, gate;
};
// x × gate(expand(inner(reduce(mean of x)))) (Hu et al. 2018)
Value* AddSqueezeExcite(Builder& build, Value* x, const SqueezeExcite& layer);

}  // namespace slipway
