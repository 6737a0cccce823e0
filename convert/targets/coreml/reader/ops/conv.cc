#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

// Sets auto_pad or pads from pad_type and pad. MIL pads axis by axis (before, after); ONNX all befores, then all afters.
// "same" is TensorFlow's: the output is ceil(size / stride), the odd element of padding goes to the end ("same_lower": the beginning).
void SetPadding(OpReader& op, size_t spatial, Attributes& attributes) {
  const std::string type = op.String("pad_type", "valid");
  if (type == "same" || type == "same_lower") {
    attributes.Set("auto_pad", std::string(type == "same" ? "SAME_UPPER" : "SAME_LOWER"));
    return;
  }
  std::vector<int64_t> pads(2 * spatial, 0);
  if (type == "custom") {
    const std::vector<int64_t> given = op.Ints("pad", pads);
    if (given.size() != 2 * spatial) return op.Malformed("pad has the wrong length");
    for (size_t i = 0; i < spatial; ++i) {
      pads[i] = given[2 * i];
      pads[spatial + i] = given[2 * i + 1];
    }
  } else if (type != "valid") {
    return op.Malformed("pad_type '" + type + "' is not one of MIL's");
  }
  attributes.Set("pads", pads);
}

// Sizes of the kernel from a weight of rank 2 + spatial axes; empty after a failure.
std::vector<int64_t> KernelOf(OpReader& op, const Value* weight, const Value* x) {
  if (weight == nullptr || x == nullptr) return {};
  const int64_t rank = op.RankOf(x);
  if (rank < 3 || rank > 5 || op.RankOf(weight) != rank) {
    op.Malformed("x and weight have ranks that do not fit");
    return {};
  }
  std::vector<int64_t> sizes;
  if (weight->constant) {
    sizes = weight->constant->shape();
  } else if (const auto known = StaticShape(*weight->shape)) {
    sizes = *known;
  } else {
    op.Refuse("the weight's shape is not fixed");
    return {};
  }
  return std::vector<int64_t>(sizes.begin() + 2, sizes.end());
}

void ReadConv(OpReader& op) {
  Value* x = op.Input("x");
  Value* weight = op.Input("weight");
  const std::vector<int64_t> kernel = KernelOf(op, weight, x);
  if (!op.ok()) return;
  const std::vector<int64_t> ones(kernel.size(), 1);
  Attributes attributes = Attrs({{"kernel_shape", kernel},
                                 {"strides", op.Ints("strides", ones)},
                                 {"dilations", op.Ints("dilations", ones)},
                                 {"group", op.Int("groups", 1)}});
  SetPadding(op, kernel.size(), attributes);
  std::vector<Value*> inputs = {x, weight};
  if (Value* bias = op.OptionalInput("bias")) inputs.push_back(bias);
  op.Emit(OpKind::kConv, std::move(inputs), std::move(attributes));
}

void ReadConvTranspose(OpReader& op) {
  Value* x = op.Input("x");
  Value* weight = op.Input("weight");
  const std::vector<int64_t> kernel = KernelOf(op, weight, x);
  if (!op.ok()) return;
  const size_t spatial = kernel.size();
  const std::vector<int64_t> ones(spatial, 1);
  const std::vector<int64_t> strides = op.Ints("strides", ones);
  const std::vector<int64_t> dilations = op.Ints("dilations", ones);
  if (strides.size() != spatial || dilations.size() != spatial)
    return op.Malformed("strides or dilations have the wrong length");
  Attributes attributes =
      Attrs({{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"group", op.Int("groups", 1)}});
  if (op.String("pad_type", "valid") == "same") {
    // Output = input x stride: what the kernel reaches over is cut off, the odd element at the end.
    std::vector<int64_t> pads(2 * spatial, 0);
    for (size_t i = 0; i < spatial; ++i) {
      const int64_t over = (kernel[i] - 1) * dilations[i] + 1 - strides[i];
      if (over < 0) return op.Refuse("pad_type 'same' with a stride longer than the kernel is not read");
      pads[i] = over / 2;
      pads[spatial + i] = over - over / 2;
    }
    attributes.Set("pads", pads);
  } else {
    SetPadding(op, spatial, attributes);
  }
  if (op.Has("output_shape")) {
    const std::vector<int64_t> wanted = op.Ints("output_shape");
    const std::vector<int64_t> pads = attributes.Ints("pads");
    if (!op.ok() || wanted.size() != spatial + 2 || pads.size() != 2 * spatial)
      return op.Malformed("output_shape does not fit");
    std::vector<int64_t> more(spatial, 0);
    for (size_t i = 0; i < spatial; ++i) {
      const Dim& input = (*x->shape)[i + 2];
      if (!input.IsKnown()) return op.Refuse("output_shape with an input of variable size is not read");
      more[i] = wanted[i + 2] -
                ((input.value() - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - pads[i] - pads[spatial + i]);
      if (more[i] < 0 || more[i] >= std::max(strides[i], dilations[i]))
        return op.Refuse("output_shape is not one that ends within a stride");
    }
    attributes.Set("output_padding", more);
  }
  std::vector<Value*> inputs = {x, weight};
  if (Value* bias = op.OptionalInput("bias")) inputs.push_back(bias);
  op.Emit(OpKind::kConvTranspose, std::move(inputs), std::move(attributes));
}

constexpr OpEntry kOps[] = {
    {"conv", ReadConv},
    {"conv_transpose", ReadConvTranspose},
};

}  // namespace

std::span<const OpEntry> ConvOps() { return kOps; }

}  // namespace slipway::coreml_reader
