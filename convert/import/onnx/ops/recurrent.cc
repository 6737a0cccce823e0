#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"LSTM", OpKind::kLSTM},
    {"GRU", OpKind::kGRU},
    {"RNN", OpKind::kRNN},
};

}  // namespace

std::span<const OpImport> RecurrentOps() { return kOps; }

}  // namespace slipway::onnx_import
