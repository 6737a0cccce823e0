// Which node cases the suites score, and which operands of a case are parameters in any real network.
#pragma once

#include <span>
#include <string_view>

namespace slipway::suites {

// The family of an operator of ordinary CNNs and of what exporters write for them; empty: the suites do not score the operator (recurrent nets, control
// flow, quantisation, detection, signals, losses and training have suites of their own or none).
std::string_view FamilyOf(std::string_view op_type);

// Inputs of an operator that are constants in real networks: weights, axes, shapes, bounds, pads. Not indices of Gather, not the second factor of MatMul.
std::span<const int> FrozenOperands(std::string_view op_type);

}  // namespace slipway::suites
