// MTCNN's three networks (Zhang et al. 2016) as facenet-pytorch defines them.
#pragma once

#include "convert/import/zoo/builder.h"

namespace slipway {

// image [1, 3, H, W] → bbox_regression [1, 4, h, w], face_probability [1, 2, h, w]
void BuildMtcnnPnet(Builder& build);
// image [1, 3, 24, 24] → bbox_regression [1, 4], face_probability [1, 2]
void BuildMtcnnRnet(Builder& build);
// image [1, 3, 48, 48] → bbox_regression [1, 4], landmarks [1, 10], face_probability [1, 2]
void BuildMtcnnOnet(Builder& build);

}  // namespace slipway
