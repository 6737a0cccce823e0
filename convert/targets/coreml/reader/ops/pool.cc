#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

void ReadPool(OpReader& op, OpKind kind, Attributes attributes) {
  Value* x = op.Input("x");
  const std::vector<int64_t> kernel = op.Ints("kernel_sizes");
  const size_t spatial = kernel.size();
  if (!op.ok()) return;
  if (spatial == 0 || op.RankOf(x) != static_cast<int64_t>(spatial) + 2)
    return op.Malformed("kernel_sizes does not fit the rank of x");
  const std::vector<int64_t> strides = op.Ints("strides", std::vector<int64_t>(spatial, 1));
  if (strides.size() != spatial) return op.Malformed("strides has the wrong length");
  const bool ceil = op.Bool("ceil_mode", false);
  const std::string type = op.String("pad_type", "valid");
  attributes.Set("kernel_shape", kernel);
  attributes.Set("strides", strides);
  if (type == "same" || type == "same_lower") {
    if (ceil) return op.Malformed("ceil_mode goes with pad_type 'valid' or 'custom' only");
    attributes.Set("auto_pad", std::string(type == "same" ? "SAME_UPPER" : "SAME_LOWER"));
  } else if (type == "valid" || type == "custom") {
    std::vector<int64_t> pads(2 * spatial, 0);
    if (type == "custom") {
      const std::vector<int64_t> given = op.Ints("pad", pads);
      if (given.size() != 2 * spatial) return op.Malformed("pad has the wrong length");
      for (size_t i = 0; i < spatial; ++i) {
        pads[i] = given[2 * i];
        pads[spatial + i] = given[2 * i + 1];
      }
    }
    for (size_t i = 0; ceil && i < spatial; ++i) {
      if (pads[i] != pads[spatial + i]) return op.Malformed("ceil_mode needs symmetric padding");
      // Without padding Core ML keeps a last window that begins after the data; it exists only when a stride is longer than the kernel.
      if (pads[i] == 0 && strides[i] > kernel[i])
        return op.Refuse("ceil_mode with a stride longer than the kernel is not read");
    }
    attributes.Set("pads", pads);
    if (ceil) attributes.Set("ceil_mode", int64_t{1});
  } else {
    return op.Malformed("pad_type '" + type + "' is not one of MIL's");
  }
  op.Emit(kind, {x}, std::move(attributes));
}

void ReadMaxPool(OpReader& op) { ReadPool(op, OpKind::kMaxPool, {}); }

void ReadAvgPool(OpReader& op) {
  const bool excludes = op.Bool("exclude_padding_from_average", false);
  ReadPool(op, OpKind::kAveragePool, Attrs({{"count_include_pad", int64_t{excludes ? 0 : 1}}}));
}

void ReadL2Pool(OpReader& op) { ReadPool(op, OpKind::kLpPool, Attrs({{"p", int64_t{2}}})); }

constexpr OpEntry kOps[] = {
    {"avg_pool", ReadAvgPool},
    {"l2_pool", ReadL2Pool},
    {"max_pool", ReadMaxPool},
};

}  // namespace

std::span<const OpEntry> PoolOps() { return kOps; }

}  // namespace slipway::coreml_reader
