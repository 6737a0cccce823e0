#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"Conv", OpKind::kConv},
    {"ConvTranspose", OpKind::kConvTranspose},
};

}  // namespace

std::span<const OpImport> ConvOps() { return kOps; }

}  // namespace slipway::onnx_import
