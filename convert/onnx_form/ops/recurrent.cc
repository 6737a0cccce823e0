#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kLSTM, 7,
     "activation_alpha activation_beta activations clip direction hidden_size input_forget layout@14=0"},
    {OpKind::kGRU, 7,
     "activation_alpha activation_beta activations clip direction hidden_size layout@14=0 linear_before_reset"},
    {OpKind::kRNN, 7, "activation_alpha activation_beta activations clip direction hidden_size layout@14=0"},
};

}  // namespace

std::span<const OpForm> RecurrentForms() { return kForms; }

}  // namespace slipway::onnx_form
