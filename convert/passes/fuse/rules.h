// The fusion rules, each in its file; the list is in passes/fuse.cc.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "convert/passes/pass.h"

namespace slipway::fuse {

std::unique_ptr<Rule> FuseBatchNorm();         // Conv / ConvTranspose / Gemm + BatchNormalization; alone → Mul + Add
std::unique_ptr<Rule> FuseChannelScale();      // Conv / ConvTranspose / Gemm + Mul, Div, Add, Sub by a number a channel
std::unique_ptr<Rule> FoldPadIntoConv();       // Pad of zeros + Conv or average pool
std::unique_ptr<Rule> MatMulAddToGemm();       // MatMul of matrices (+ Add) → Gemm
std::unique_ptr<Rule> RecogniseHardSigmoid();  // Clip(x + 3, 0, 6) / 6 → HardSigmoid
std::unique_ptr<Rule> RecogniseHardSwish();    // x · HardSigmoid(x) → HardSwish
std::unique_ptr<Rule> RecogniseSwish();        // x · Sigmoid(x) → Swish
std::unique_ptr<Rule> RecogniseGelu();         // x/2 · (1 + erf(x/√2)) and its tanh form → Gelu
std::unique_ptr<Rule> RecogniseLayerNorm();    // (x - mean) / √(var + ε) · scale + bias → LayerNormalization
std::unique_ptr<Rule> RecognisePixelShuffle();  // Reshape, Transpose, Reshape of six axes → DepthToSpace
std::unique_ptr<Rule> RecogniseRepeat();        // Reshape, Expand or Tile, Reshape → Resize by whole factors
std::unique_ptr<Rule> RecogniseMaskedFill();    // ScatterND of one number at the places of NonZero → Where
std::unique_ptr<Rule> NearestByWholeFactors();  // Resize to the nearest by whole factors, in one form

// Multiplies the outputs of a Conv, ConvTranspose or Gemm by scale[channel] and adds shift[channel], by changing its weights and bias.
// `node` takes the place of `last` (whose output it then makes). False, changing nothing, when weights or bias are not constant.
absl::StatusOr<bool> ScaleOutputs(Graph& graph, Node& node, Node& last, const std::vector<double>& scale,
                                  const std::vector<double>& shift);

// Output channels of a Conv, ConvTranspose or Gemm with constant weights; -1 otherwise.
int64_t OutputChannels(const Node& node);

}  // namespace slipway::fuse
