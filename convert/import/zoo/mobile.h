// Networks of inverted residual blocks, in torchvision's module names and in timm's: MobileNetV2 (Sandler et al. 2018), MobileNetV3
// (Howard et al. 2019), EfficientNet (Tan, Le 2019).
#pragma once

#include "convert/import/zoo/builder.h"

namespace slipway {

// image [1, 3, S, S] → logits [1, classes]. `size` S.
void BuildMobilenetV2Torchvision(Builder& build, int64_t size);
void BuildMobilenetV2Timm(Builder& build, int64_t size);
void BuildMobilenetV3SmallTorchvision(Builder& build, int64_t size);
void BuildMobilenetV3SmallTimm(Builder& build, int64_t size);
void BuildMobilenetV3LargeTorchvision(Builder& build, int64_t size);
void BuildMobilenetV3LargeTimm(Builder& build, int64_t size);
void BuildEfficientnetB0Torchvision(Builder& build, int64_t size);
void BuildEfficientnetB0Timm(Builder& build, int64_t size);

}  // namespace slipway
