// LSTM, GRU and RNN step by step: for targets that have none.
#pragma once

#include <cstdint>
#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// A recurrent op of constant weights over a known number of steps (at most 512), in either or both directions, with the usual activations, as products of matrices
// and gates a step (ONNX, Operators.md: LSTM, GRU, RNN). Left alone: sequence lengths, peepholes, clipping, coupled gates, batch-major layout,
// what would hold more than `most_weights` weights if every step had its own, and what `stays` says.
std::unique_ptr<Rule> MakeUnrollRecurrent(
    int64_t most_weights = INT64_MAX, bool (*stays)(const Node&) = [](const Node&) { return false; });

}  // namespace slipway
