// ONNX files through import and ONNX form, run in onnxruntime beside the original.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/onnx_form/onnx.pb.h"
#include "convert/runtimes/runtime.h"
#include "tests/support/hosts.h"
#include "tests/support/onnx_source.h"

namespace slipway::testing {

// Runs a Python script of this folder with $SLIPWAY_PYTHON; its output on failure.
absl::Status RunPython(const std::string& script, const std::vector<std::string>& arguments);

// A source of a model in memory (by way of a file in `folder`).
absl::StatusOr<Source> SourceOf(const onnx::ModelProto& model, const std::filesystem::path& folder);

// All outputs for the inputs.
absl::StatusOr<NamedTensors> RunOnnx(const std::filesystem::path& file, const NamedTensors& inputs,
                                     const std::vector<std::string>& outputs);

// OK when both have the same type and shape and every element |a - b| ≤ atol + rtol × |b| (NaN equals NaN).
absl::Status ExpectClose(const Tensor& actual, const Tensor& expected, double rtol, double atol);

}  // namespace slipway::testing
