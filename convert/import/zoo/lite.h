// `lite`: a small classifier of depthwise-separable convolutions, this project's own (docs/zoo.md).
#pragma once

#include "convert/import/zoo/builder.h"

namespace slipway {

// image [1, 3, S, S] → logits [1, classes]
void BuildLite(Builder& build, int64_t size);

}  // namespace slipway
