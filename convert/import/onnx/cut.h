// --cut-inputs and --cut-outputs on an ONNX model as it lies in its file: what no output needs any more is neither imported nor run.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/source.h"
#include "convert/ir/graph.h"

namespace slipway {
namespace onnx_import {

// By node of the model's graph.
struct Cut {
  std::vector<bool> kept;    // an output is computed by it
  std::vector<bool> behind;  // only a cut input is: it is read for that tensor's type and shape, as far as it can be
};

// nullopt: no cut is asked for, or at a tensor that the model's graph itself does not have (one inside a function, or none at all).
std::optional<Cut> PlanCut(const ModelView& model, const InterfaceOptions& options);

// Takes the other nodes, and weights and inputs that no node reads, out of the view; its outputs become the cut's.
void ApplyCut(const Cut& cut, const InterfaceOptions& options, ModelView& model);

}  // namespace onnx_import

// Whether the cuts that `source.interface` asks for can be made in the file.
absl::StatusOr<bool> CutsFile(const Source& source);

// Writes the cut model as ONNX: the file's own nodes and weights, streamed; external data stays where it is. `cut`, the graph imported, fixed and cut, says
// which inputs it has, of which type, and holds what --fix made of others.
absl::Status WriteCutOnnx(const Source& source, const Graph& cut, const std::filesystem::path& file);

}  // namespace slipway
