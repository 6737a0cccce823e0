// CONV_2D (weights OHWI), DEPTHWISE_CONV_2D (1HWO), TRANSPOSE_CONV (OHWI), CONV_3D (DHWIO), CONV_3D_TRANSPOSE (DHWOI).
#include <algorithm>

#include "convert/ir/spatial.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

bool IsDepthwise(const Node& node) {
  const int64_t groups = node.attributes.Int("group", 1);
  const std::vector<int64_t>& weight = node.constant(1)->shape();
  return groups > 1 && weight[1] == 1 && weight.size() == 4;
}

absl::Status CheckConv(const Node& node) {
  RETURN_IF_ERROR(CheckConstant(node, 1, "weights"));
  RETURN_IF_ERROR(CheckConstant(node, 2, "a bias"));
  const absl::StatusOr<SpatialParams> read = ReadSpatialParams(node);
  const bool same = node.attributes.String("auto_pad", "").starts_with("SAME");
  if (!read.ok() && !same) return read.status();
  const int64_t spatial = node.constant(1)->rank() - 2;
  if (spatial != 2 && spatial != 3)
    return Unsupported(node, fmt::format("{} spatial axes", spatial), "TFLite convolves over 2 or 3");
  if (ChannelAxis(node, spatial + 2) == 1)
    return Unsupported(node, "channels at axis 1", "the channels-last pass moves them");
  if (!FusedActivation(node)) return Unsupported(node, "an activation that no operator fuses", "");
  if (!PaddingOf(node))
    return Unsupported(node, "padding that SAME and VALID cannot say", "rule explicit-padding pads before it");
  if (spatial == 3 && node.attributes.Int("group", 1) != 1)
    return Unsupported(node, "CONV_3D in groups", "rule dense-volumes takes those with few weights");
  if (node.kind == OpKind::kConvTranspose) {
    if (node.attributes.Int("group", 1) != 1)
      return Unsupported(node, "TRANSPOSE_CONV in groups", "rule split-groups takes them apart");
    if (read.ok() && std::any_of(read->dilations.begin(), read->dilations.end(), [](int64_t d) { return d != 1; })) {
      return Unsupported(node, "TRANSPOSE_CONV with dilations", "rule dilate-weights writes them into the weights");
    }
    const Shape& shape = *node.output()->shape;
    if (!IsStatic(Shape(shape.begin() + 1, shape.end()))) {
      return Unsupported(node, "an output size that is not fixed", "fix the input's sizes with --shape");
    }
  }
  return absl::OkStatus();
}

// Strides and dilations need no sizes, which auto_pad SAME may lack.
std::vector<int64_t> AxisAttribute(const Node& node, std::string_view name) {
  return node.attributes.Ints(name, std::vector<int64_t>(static_cast<size_t>(node.constant(1)->rank()) - 2, 1));
}

int32_t Bias(const Node& node, ModelBuilder& out, int64_t channels) {
  if (node.input(2) != nullptr) return out.Value(node.input(2));
  return out.Constant(node.output()->name + "/bias", Tensor::Allocate(DataType::kFloat32, {channels}).first);
}

void EmitConv(const Node& node, ModelBuilder& out) {
  const std::vector<int64_t> strides = AxisAttribute(node, "strides"), dilations = AxisAttribute(node, "dilations");
  const schema::Padding padding = *PaddingOf(node);
  const schema::ActivationFunctionType activation = *FusedActivation(node);
  const Tensor& weight = *node.constant(1);
  const int32_t bias = Bias(node, out, weight.shape()[0]);
  const int32_t data = out.Value(node.input(0)), result = out.Value(node.output());
  if (weight.rank() == 5) {
    const int32_t weights = out.Weights(node.input(1), {2, 3, 4, 1, 0});
    out.OpWith<schema::Conv3DOptions>(schema::BuiltinOperator::CONV_3D, {data, weights, bias}, {result}, 1,
                                      [=](auto& options) {
                                        options.add_padding(padding);
                                        options.add_stride_d(strides[0]);
                                        options.add_stride_h(strides[1]);
                                        options.add_stride_w(strides[2]);
                                        options.add_dilation_d_factor(dilations[0]);
                                        options.add_dilation_h_factor(dilations[1]);
                                        options.add_dilation_w_factor(dilations[2]);
                                        options.add_fused_activation_function(activation);
                                      });
    return;
  }
  const bool dilated = dilations[0] != 1 || dilations[1] != 1;
  if (IsDepthwise(node)) {
    const int32_t weights = out.Weights(node.input(1), {1, 2, 3, 0});
    const int64_t multiplier = weight.shape()[0] / node.attributes.Int("group", 1);
    out.OpWith<schema::DepthwiseConv2DOptions>(schema::BuiltinOperator::DEPTHWISE_CONV_2D, {data, weights, bias},
                                               {result}, dilated ? 2 : 1, [=](auto& options) {
                                                 options.add_padding(padding);
                                                 options.add_stride_h(strides[0]);
                                                 options.add_stride_w(strides[1]);
                                                 options.add_depth_multiplier(multiplier);
                                                 options.add_dilation_h_factor(dilations[0]);
                                                 options.add_dilation_w_factor(dilations[1]);
                                                 options.add_fused_activation_function(activation);
                                               });
    return;
  }
  const int32_t weights = out.Weights(node.input(1), {0, 2, 3, 1});
  const int version = node.attributes.Int("group", 1) == 1 ? 1 : 6;
  out.OpWith<schema::Conv2DOptions>(schema::BuiltinOperator::CONV_2D, {data, weights, bias}, {result}, version,
                                    [=](auto& options) {
                                      options.add_padding(padding);
                                      options.add_stride_h(strides[0]);
                                      options.add_stride_w(strides[1]);
                                      options.add_dilation_h_factor(dilations[0]);
                                      options.add_dilation_w_factor(dilations[1]);
                                      options.add_fused_activation_function(activation);
                                    });
}

// The result's shape; a batch that is not known is the data's.
int32_t ResultShape(const Node& node, ModelBuilder& out) {
  const std::string name = node.output()->name + "/shape";
  const Shape& shape = *node.output()->shape;
  if (IsStatic(shape)) return out.Ints(name, *StaticShape(shape));
  const auto rank = static_cast<int64_t>(shape.size());
  const int32_t sizes = out.Intermediate(name + "/data", DataType::kInt32, {rank});
  const int32_t batch = out.Intermediate(name + "/batch", DataType::kInt32, {1});
  const int32_t all = out.Intermediate(name, DataType::kInt32, {rank});
  out.OpWith<schema::ShapeOptions>(schema::BuiltinOperator::SHAPE, {out.Value(node.input(0))}, {sizes}, 1,
                                   [](auto& options) { options.add_out_type(schema::TensorType::INT32); });
  out.OpWith<schema::StridedSliceOptions>(
      schema::BuiltinOperator::STRIDED_SLICE,
      {sizes, out.Ints(name + "/begin", {0}), out.Ints(name + "/end", {1}), out.Ints(name + "/stride", {1})}, {batch},
      1, [](auto&) {});
  const int32_t others = out.Ints(name + "/others", *StaticShape(Shape(shape.begin() + 1, shape.end())));
  out.OpWith<schema::ConcatenationOptions>(schema::BuiltinOperator::CONCATENATION, {batch, others}, {all}, 1,
                                           [](auto& options) { options.add_axis(0); });
  return all;
}

void EmitConvTranspose(const Node& node, ModelBuilder& out) {
  const std::vector<int64_t> strides = AxisAttribute(node, "strides");
  const schema::ActivationFunctionType activation = *FusedActivation(node);
  const int32_t shape = ResultShape(node, out);
  if (node.constant(1)->rank() == 5) {
    std::vector<int32_t> volumes = {shape, out.Weights(node.input(1), {2, 3, 4, 1, 0}), out.Value(node.input(0))};
    if (node.input(2) != nullptr) volumes.push_back(out.Value(node.input(2)));
    out.OpWith<schema::Conv3DOptions>(schema::BuiltinOperator::CONV_3D_TRANSPOSE, volumes, {out.Value(node.output())},
                                      1, [=](auto& options) {
                                        options.add_padding(schema::Padding::VALID);
                                        options.add_stride_d(strides[0]);
                                        options.add_stride_h(strides[1]);
                                        options.add_stride_w(strides[2]);
                                        options.add_dilation_d_factor(1);
                                        options.add_dilation_h_factor(1);
                                        options.add_dilation_w_factor(1);
                                        options.add_fused_activation_function(activation);
                                      });
    return;
  }
  const int32_t weights = out.Weights(node.input(1), {1, 2, 3, 0});
  std::vector<int32_t> inputs = {shape, weights, out.Value(node.input(0))};
  if (node.input(2) != nullptr) inputs.push_back(out.Value(node.input(2)));
  const int version = activation != schema::ActivationFunctionType::NONE ? 4 : inputs.size() == 4 ? 3 : 1;
  out.OpWith<schema::TransposeConvOptions>(schema::BuiltinOperator::TRANSPOSE_CONV, inputs, {out.Value(node.output())},
                                           version, [=](auto& options) {
                                             options.add_padding(schema::Padding::VALID);
                                             options.add_stride_h(strides[0]);
                                             options.add_stride_w(strides[1]);
                                             options.add_fused_activation_function(activation);
                                           });
}

constexpr OpEntry kEntries[] = {{OpKind::kConv, CheckConv, EmitConv},
                                {OpKind::kConvTranspose, CheckConv, EmitConvTranspose}};

}  // namespace

std::span<const OpEntry> ConvOps() { return kEntries; }

}  // namespace slipway::tflite
