#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"Shape", OpKind::kShape},
    {"Size", OpKind::kSize},
    {"ConstantOfShape", OpKind::kConstantOfShape},
    {"Range", OpKind::kRange},
};

}  // namespace

std::span<const OpImport> ShapeOps() { return kOps; }

}  // namespace slipway::onnx_import
