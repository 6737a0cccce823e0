#include "convert/import/zoo/mtcnn.h"

namespace slipway {
namespace {

// The published weights come from a Caffe model whose flattening runs over width first.
Value* CaffeFlatten(Builder& build, Value* x) {
  return build.Flatten(build.Permute(x, "permute", {0, 3, 2, 1}), "flatten");
}

}  // namespace

void BuildMtcnnPnet(Builder& build) {
  Value* x = build.Input("image", {1, 3, Dim::Symbol("H"), Dim::Symbol("W")});
  x = build.Conv2d(x, "conv1", 3, 10, 3);
  x = build.PRelu(x, "prelu1", 10, 4);
  x = build.MaxPool2d(x, "pool1", 2, 2, true);
  x = build.Conv2d(x, "conv2", 10, 16, 3);
  x = build.PRelu(x, "prelu2", 16, 4);
  x = build.Conv2d(x, "conv3", 16, 32, 3);
  x = build.PRelu(x, "prelu3", 32, 4);
  Value* face = build.Softmax(build.Conv2d(x, "conv4_1", 32, 2, 1), "softmax4_1", 1);
  build.Output(build.Conv2d(x, "conv4_2", 32, 4, 1), "bbox_regression");
  build.Output(face, "face_probability");
}

void BuildMtcnnRnet(Builder& build) {
  Value* x = build.Input("image", {1, 3, 24, 24});
  x = build.Conv2d(x, "conv1", 3, 28, 3);
  x = build.PRelu(x, "prelu1", 28, 4);
  x = build.MaxPool2d(x, "pool1", 3, 2, true);
  x = build.Conv2d(x, "conv2", 28, 48, 3);
  x = build.PRelu(x, "prelu2", 48, 4);
  x = build.MaxPool2d(x, "pool2", 3, 2, true);
  x = build.Conv2d(x, "conv3", 48, 64, 2);
  x = build.PRelu(x, "prelu3", 64, 4);
  x = build.Linear(CaffeFlatten(build, x), "dense4", 576, 128);
  x = build.PRelu(x, "prelu4", 128, 2);
  Value* face = build.Softmax(build.Linear(x, "dense5_1", 128, 2), "softmax5_1", 1);
  build.Output(build.Linear(x, "dense5_2", 128, 4), "bbox_regression");
  build.Output(face, "face_probability");
}

void BuildMtcnnOnet(Builder& build) {
  Value* x = build.Input("image", {1, 3, 48, 48});
  x = build.Conv2d(x, "conv1", 3, 32, 3);
  x = build.PRelu(x, "prelu1", 32, 4);
  x = build.MaxPool2d(x, "pool1", 3, 2, true);
  x = build.Conv2d(x, "conv2", 32, 64, 3);
  x = build.PRelu(x, "prelu2", 64, 4);
  x = build.MaxPool2d(x, "pool2", 3, 2, true);
  x = build.Conv2d(x, "conv3", 64, 64, 3);
  x = build.PRelu(x, "prelu3", 64, 4);
  x = build.MaxPool2d(x, "pool3", 2, 2, true);
  x = build.Conv2d(x, "conv4", 64, 128, 2);
  x = build.PRelu(x, "prelu4", 128, 4);
  x = build.Linear(CaffeFlatten(build, x), "dense5", 1152, 256);
  x = build.PRelu(x, "prelu5", 256, 2);
  Value* face = build.Softmax(build.Linear(x, "dense6_1", 256, 2), "softmax6_1", 1);
  build.Output(build.Linear(x, "dense6_2", 256, 4), "bbox_regression");
  build.Output(build.Linear(x, "dense6_3", 256, 10), "landmarks");
  build.Output(face, "face_probability");
}

}  // namespace slipway
