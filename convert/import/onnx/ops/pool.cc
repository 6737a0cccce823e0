#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"MaxPool", OpKind::kMaxPool},
    {"AveragePool", OpKind::kAveragePool},
    {"LpPool", OpKind::kLpPool},
    {"GlobalAveragePool", OpKind::kGlobalAveragePool},
    {"GlobalMaxPool", OpKind::kGlobalMaxPool},
    {"GlobalLpPool", OpKind::kGlobalLpPool},
};

}  // namespace

std::span<const OpImport> PoolOps() { return kOps; }

}  // namespace slipway::onnx_import
