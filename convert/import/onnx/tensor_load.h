// TensorProto → Tensor: views into the mapped files wherever the bytes lie as we need them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/source.h"
#include "convert/ir/tensor.h"

namespace slipway::onnx_import {

// "float8e4m3fn", "complex64", "int64", …: for messages.
std::string OnnxTypeName(int64_t code);

// raw_data, packed float and double data and external data are views; the rest is decoded. Every size is checked.
// INVALID_ARGUMENT / DATA_LOSS / UNIMPLEMENTED naming the tensor.
absl::StatusOr<Tensor> LoadTensor(const TensorView& view, const Source& source);
// Zeros of the tensor's type and shape, which take no memory.
absl::StatusOr<Tensor> BlankTensor(const TensorView& view);
absl::StatusOr<Tensor> LoadSparseTensor(const SparseTensorView& view, const Source& source);

}  // namespace slipway::onnx_import
