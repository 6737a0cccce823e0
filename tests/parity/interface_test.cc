// Tensors between a source's interface and an artifact's.
#include "convert/parity/interface.h"

#include <gtest/gtest.h>

#include "convert/parity/images.h"
#include "convert/parity/parity.h"

namespace slipway {
namespace {

TEST(InterfaceTest, PermutationAndDroppedAxisAreAppliedAndUndone) {
  std::vector<float> values(1 * 2 * 3 * 4);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor source = Tensor::From<float>({1, 2, 3, 4}, values);
  // NHWC without its batch.
  const InterfaceTensor nhwc{"a", "s", {3, 4, 2}, DataType::kFloat32, "", {0, 2, 3, 1}, 0};
  auto artifact = ToArtifact(source, nhwc);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ(artifact->shape(), (std::vector<int64_t>{3, 4, 2}));
  EXPECT_EQ(artifact->At<float>(1), 12);  // position (0, 0), channel 1
  auto back = ToSource(*artifact, nhwc, DataType::kFloat32);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->SameBytes(source));
  EXPECT_FALSE(ToArtifact(Tensor::From<float>({2, 1, 3, 4}, values), nhwc).ok());
  const InterfaceTensor narrow{"a", "s", {2}, DataType::kInt32, "", {}, -1};
  auto cast = ToArtifact(Tensor::Int64s({5, -6}), narrow);
  ASSERT_TRUE(cast.ok());
  EXPECT_EQ(cast->ToInt64s(), (std::vector<int64_t>{5, -6}));
  EXPECT_EQ(ToSource(*cast, narrow, DataType::kInt64)->type(), DataType::kInt64);
}

TEST(ImagesTest, ABatchIsTakenApartAndJoined) {
  std::vector<float> values(2 * 3);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor batch = Tensor::From<float>({2, 3}, values);
  const InterfaceTensor dropped{"a", "x", {3}, DataType::kFloat32, "", {}, 0};
  const InterfaceTensor whole{"b", "x", {2, 3}, DataType::kFloat32, "", {}, -1};
  EXPECT_EQ(ImageOf(batch, dropped, 1, 2).shape(), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(ImageOf(batch, dropped, 1, 2).ToFloats(), (std::vector<float>{3, 4, 5}));
  EXPECT_TRUE(ImageOf(batch, whole, 1, 2).SameBytes(batch));
  // Along the last axis: columns.
  const InterfaceTensor columns{"a", "x", {3}, DataType::kFloat32, "", {}, 1};
  const Tensor transposed = Tensor::From<float>({3, 2}, {0, 3, 1, 4, 2, 5});
  const std::vector<Tensor> images = {ImageOf(transposed, columns, 0, 2), ImageOf(transposed, columns, 1, 2)};
  EXPECT_EQ(images[1].ToFloats(), (std::vector<float>{3, 4, 5}));
  EXPECT_TRUE(JoinImages(images, {3, 2})->SameBytes(transposed));
  EXPECT_TRUE(JoinImages({images[0].Reshaped({1, 3}), images[1].Reshaped({1, 3})}, {2, 3})->SameBytes(batch));
  EXPECT_FALSE(JoinImages(images, {3, 3}).ok());
  EXPECT_FALSE(JoinImages({images[0], batch}, {3, 2}).ok());

  // Only where the source leaves the batch open.
  Sample one, two;
  one.inputs = {{"x", ImageOf(batch, dropped, 0, 2)}};
  two.inputs = {{"x", batch}};
  EXPECT_EQ(ImagesOf({{dropped}, {}}, two, {one, two}), 2);
  EXPECT_EQ(ImagesOf({{dropped}, {}}, one, {one, two}), 1);
  EXPECT_EQ(ImagesOf({{dropped}, {}}, two, {two, two}), 1);
  EXPECT_EQ(ImagesOf({{whole}, {}}, two, {one, two}), 1);
}

TEST(InterfaceTest, InnerTensorsLoseScaleAndPermutation) {
  // The value is transpose(source, {0, 2, 1}) with channel 0 doubled and channel 1 halved, without its batch.
  const Tensor artifact = Tensor::From<float>({2, 2}, {2, 0.5f, 4, 1});
  ArtifactValue value{"v", {"s", {0, 2, 1}, {2, 0.5f}, 2}, 0};
  auto source = ToSource(artifact, value);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(source->shape(), (std::vector<int64_t>{1, 2, 2}));
  EXPECT_EQ(source->ToFloats(), (std::vector<float>{1, 2, 1, 2}));
}

}  // namespace
}  // namespace slipway
