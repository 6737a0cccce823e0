#include "convert/ir/spatial.h"

#include <algorithm>

#include "common/base/error.h"

namespace slipway {
namespace {

// One size an axis, all at least `minimum`.
absl::StatusOr<std::vector<int64_t>> AxisSizes(const Node& node, std::string_view attribute, int64_t rank,
                                               int64_t fallback, int64_t minimum) {
  std::vector<int64_t> sizes = node.attributes.Ints(attribute);
  if (sizes.empty()) sizes.assign(static_cast<size_t>(rank), fallback);
  if (static_cast<int64_t>(sizes.size()) != rank) {
    return InvalidArgument("{}: {} has {} entries for {} spatial axes", Describe(node), attribute, sizes.size(), rank);
  }
  for (int64_t size : sizes) {
    if (size < minimum || size > INT32_MAX)
      return InvalidArgument("{}: {} {} is out of range", Describe(node), attribute, ToString(sizes));
  }
  return sizes;
}

// SAME pads so that the output has ceil(input / stride) elements (ONNX, Conv: auto_pad).
absl::Status ResolveSame(const Node& node, bool upper, SpatialParams& params) {
  const Value* data = node.input(0);
  const bool transposed = node.kind == OpKind::kConvTranspose;
  for (int64_t i = 0; i < params.rank; ++i) {
    const size_t axis = static_cast<size_t>(i);
    const int64_t reach = (params.kernel[axis] - 1) * params.dilations[axis] + 1;
    int64_t total = 0;
    if (transposed) {
      total = std::max<int64_t>(0, reach - params.strides[axis] + params.output_padding[axis]);
    } else if (params.strides[axis] == 1) {
      total = reach - 1;
    } else {
      const Dim size =
          data->shape ? (*data->shape)[static_cast<size_t>(i + (params.channels_last ? 1 : 2))] : Dim::Unknown();
      if (!size.IsKnown()) {
        return Unimplemented("{}: auto_pad SAME with stride {} needs a fixed input size; fix it with --shape {}=…",
                             Describe(node), params.strides[axis], data->name);
      }
      const int64_t output = (size.value() + params.strides[axis] - 1) / params.strides[axis];
      total = std::max<int64_t>(0, (output - 1) * params.strides[axis] + reach - size.value());
    }
    params.pads_begin[axis] = upper ? total / 2 : total - total / 2;
    params.pads_end[axis] = total - params.pads_begin[axis];
  }
  return absl::OkStatus();
}

// A size asked for says the padding, whatever `pads` says (ONNX, ConvTranspose: output_shape); where the windows do not reach it, the rest is output padding.
absl::Status ResolveOutputShape(const Node& node, std::string_view auto_pad, SpatialParams& params) {
  std::vector<int64_t> wanted = node.attributes.Ints("output_shape");
  const Value* data = node.input(0);
  if (wanted.empty() || !data->shape) return absl::OkStatus();
  const auto rank = static_cast<size_t>(params.rank);
  if (wanted.size() == rank + 2)
    wanted.erase(wanted.begin(), wanted.begin() + 2);  // with batch and channels, as some write it
  if (wanted.size() != rank)
    return InvalidArgument("{}: output_shape {} does not fit", Describe(node), ToString(wanted));
  for (size_t i = 0; i < rank; ++i) {
    if (wanted[i] < 0 || wanted[i] > INT32_MAX)
      return InvalidArgument("{}: output_shape {} is out of range", Describe(node), ToString(wanted));
    const Dim& size = (*data->shape)[i + (params.channels_last ? 1 : 2)];
    if (!size.IsKnown()) continue;
    const int64_t reach = (params.kernel[i] - 1) * params.dilations[i] + 1;
    const Dim beyond = (size - 1) * Dim(params.strides[i]) + Dim(params.output_padding[i] + reach - wanted[i]);
    if (!beyond.IsKnown()) return InvalidArgument("{}: data of {} is out of range", Describe(node), size.ToString());
    const int64_t total = beyond.value();
    params.pads_begin[i] = params.pads_end[i] = 0;
    if (total < 0) {
      params.output_padding[i] -= total;
    } else {
      params.pads_begin[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      params.pads_end[i] = total - params.pads_begin[i];
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SpatialParams> ReadSpatialParams(const Node& node) {
  SpatialParams params;
  const Value* data = node.input(0);
  const bool convolution = node.kind == OpKind::kConv || node.kind == OpKind::kConvTranspose;
  std::vector<int64_t> kernel = node.attributes.Ints("kernel_shape");
  if (convolution) {
    const Value* weight = node.input(1);
    if (weight == nullptr || weight->rank() < 3)
      return InvalidArgument("{}: its weights have no spatial axes", Describe(node));
    params.rank = weight->rank() - 2;
    if (kernel.empty()) {
      for (size_t i = 2; i < weight->shape->size(); ++i) {
        if (!(*weight->shape)[i].IsKnown()) return Unimplemented("{}: the kernel size is not known", Describe(node));
        kernel.push_back((*weight->shape)[i].value());
      }
    } else if (auto sizes = StaticShape(*weight->shape);
               sizes && !std::equal(kernel.begin(), kernel.end(), sizes->begin() + 2, sizes->end())) {
      return InvalidArgument("{}: kernel_shape {} contradicts the weights {}", Describe(node), ToString(kernel),
                             ToString(*sizes));
    }
  } else {
    params.rank = static_cast<int64_t>(kernel.size());
  }
  if (kernel.empty()) return InvalidArgument("{}: kernel_shape is missing", Describe(node));
  if (data->shape && data->rank() != params.rank + 2) {
    return InvalidArgument("{}: data of rank {} does not fit a kernel of {} spatial axes", Describe(node), data->rank(),
                           params.rank);
  }
  params.kernel = std::move(kernel);
  for (int64_t size : params.kernel) {
    if (size < 1 || size > INT32_MAX)
      return InvalidArgument("{}: kernel size {} is out of range", Describe(node), ToString(params.kernel));
  }
  ASSIGN_OR_RETURN(params.strides, AxisSizes(node, "strides", params.rank, 1, 1));
  ASSIGN_OR_RETURN(params.dilations, AxisSizes(node, "dilations", params.rank, 1, 1));
  ASSIGN_OR_RETURN(params.output_padding, AxisSizes(node, "output_padding", params.rank, 0, 0));
  params.groups = node.attributes.Int("group", 1);
  if (params.groups < 1) return InvalidArgument("{}: group {} is not positive", Describe(node), params.groups);
  params.ceil_mode = node.attributes.Int("ceil_mode", 0) != 0;
  params.count_include_pad = node.attributes.Int("count_include_pad", 0) != 0;
  params.channels_last = node.attributes.String("data_layout", "NCHW") == "NHWC";

  const size_t rank = static_cast<size_t>(params.rank);
  params.pads_begin.assign(rank, 0);
  params.pads_end.assign(rank, 0);
  const std::string auto_pad = node.attributes.String("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    RETURN_IF_ERROR(ResolveSame(node, auto_pad == "SAME_UPPER", params));
  } else if (auto_pad == "NOTSET" || auto_pad.empty()) {
    const std::vector<int64_t> pads = node.attributes.Ints("pads");
    if (!pads.empty() && pads.size() != 2 * rank) {
      return InvalidArgument("{}: pads has {} entries for {} spatial axes", Describe(node), pads.size(), rank);
    }
    for (size_t i = 0; i < pads.size(); ++i) {
      if (pads[i] < 0 || pads[i] > INT32_MAX)
        return InvalidArgument("{}: pads {} is out of range", Describe(node), ToString(pads));
      (i < rank ? params.pads_begin[i] : params.pads_end[i - rank]) = pads[i];
    }
  } else if (auto_pad != "VALID") {
    return InvalidArgument("{}: auto_pad '{}' is not one of NOTSET, VALID, SAME_UPPER, SAME_LOWER", Describe(node),
                           auto_pad);
  }
  if (node.kind == OpKind::kConvTranspose) RETURN_IF_ERROR(ResolveOutputShape(node, auto_pad, params));
  return params;
}

Dim PooledSize(const Dim& input, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin, int64_t pad_end,
               bool ceil_mode) {
  const int64_t reach = (kernel - 1) * dilation + 1;
  // Rounding up is rounding down with a stride less one more padding; a window that would begin behind the data, in the
  // end padding, is dropped: no more padding than a window's reach beyond its first element.
  const int64_t end = ceil_mode ? std::min(pad_end + stride - 1, reach - 1) : pad_end;
  return FloorDiv(input + Dim(pad_begin + end - reach), Dim(stride)) + Dim(1);
}

int64_t ChannelAxis(const Node& node, int64_t rank) {
  return node.attributes.String("data_layout", "NCHW") == "NHWC" ? rank - 1 : 1;
}

}  // namespace slipway
