#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"Gather", OpKind::kGather},           {"GatherElements", OpKind::kGatherElements},
    {"GatherND", OpKind::kGatherND},       {"ScatterElements", OpKind::kScatterElements},
    {"Scatter", OpKind::kScatterElements},  // its name until opset 11
    {"ScatterND", OpKind::kScatterND},     {"OneHot", OpKind::kOneHot},
    {"NonZero", OpKind::kNonZero},         {"NonMaxSuppression", OpKind::kNonMaxSuppression},
};

}  // namespace

std::span<const OpImport> GatherOps() { return kOps; }

}  // namespace slipway::onnx_import
