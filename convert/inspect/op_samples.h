// One small ONNX model for each form of each operator: what targets are asked about, so that the operator matrix needs no list of answers.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway::inspect {

struct OpSample {
  std::string_view op;     // ONNX's name, of another domain "domain::Name"
  std::string_view label;  // which form of it: "2-D", "grouped"; "" for the only one
  // Separated by blanks. Inputs of the model: f[1,4,8,8] of float32, h float16, d float64, c int8, s int16, n int32, i int64,
  // u uint8, b bool; sizes may have names.
  // Constants: F[4,3] of float32, J[2,1] of int64 zeros and ones, I{1,2} int64, L{0.5,1} float32, B{1,0} bool, U{0} uint8; with a + behind the letter a scalar: I+{3}. "-": left out.
  std::string_view inputs;
  // Separated by blanks: axis=1 an int, axes=1, ints, alpha=0.5 a float, mode=text a string, body=@loop one of the graphs in op_samples.cc.
  std::string_view attributes = "";
  int outputs = 1;
  int opset = 18;
};

std::span<const OpSample> OpSamples();

// For an operator that has none of its own: groups of samples to be tried in order; the first of which one can be imported is its.
std::vector<std::vector<OpSample>> GenericSamples(std::string_view op);

// ModelProto's bytes. INVALID_ARGUMENT: the sample is not written as it should be.
absl::StatusOr<std::string> SampleModel(const OpSample& sample);

}  // namespace slipway::inspect
