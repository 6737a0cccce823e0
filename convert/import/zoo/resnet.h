// ResNet (He et al. 2016) as torchvision and timm define it; both name its weights alike.
#pragma once

#include "convert/import/zoo/builder.h"

namespace slipway {

// image [1, 3, S, S] → logits [1, classes]. `size` S.
void BuildResnet18(Builder& build, int64_t size);
void BuildResnet34(Builder& build, int64_t size);
void BuildResnet50(Builder& build, int64_t size);

}  // namespace slipway
