#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kIf, 1, "else_branch then_branch"},
    {OpKind::kLoop, 11, "body"},
    {OpKind::kScan, 9,
     "body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions"},
};

}  // namespace

std::span<const OpForm> ControlFlowForms() { return kForms; }

}  // namespace slipway::onnx_form
