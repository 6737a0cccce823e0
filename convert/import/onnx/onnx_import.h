// ONNX files → IR. Every opset from 7 to 26 is upgraded here to the one dialect; no later stage knows opset numbers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/edits.h"
#include "convert/import/source.h"
#include "convert/ir/graph.h"

namespace slipway {

struct OnnxModel : Model {
  DeclaredTypes declared;  // of the tensors at which --cut-inputs cuts
};

// Something of a model that cannot be imported.
struct ImportRefusal {
  std::string op;  // of a node: "Conv", "com.acme::Mystery"; "" for tensors, inputs, outputs
  absl::Status status;
};

// Reads an ONNX model. Weights are views into the mapped files (found by walking the wire format; nothing is copied).
// Values keep the source's tensor names, each is its own origin. Not simplified.
// Where source.interface cuts the graph (cut.h), what is cut off is left out; what only a cut input was computed from is there as far as it can be
// imported, the rest of it as inputs of no type and rank. The cuts themselves are the caller's (edits.h).
// `refused`, if given, receives everything of the model that cannot be imported instead of the first being returned, and what can be is
// imported around it: the outputs of a refused node are inputs of the graph, of no type and rank, and what it reads are outputs; tensors
// whose external data is missing are zeros. An error is then returned only where no graph can be made at all.
// `warnings`, if given, receives what the file says of its outputs' shapes and what they are not: such a file can still be converted.
absl::StatusOr<OnnxModel> ImportOnnx(const Source& source, std::vector<ImportRefusal>* refused = nullptr,
                                     std::vector<std::string>* warnings = nullptr);

// Every op that the importer knows, sorted: "Conv", "com.microsoft::Gelu".
std::vector<std::string> ImportedOnnxOps();

// Names of the external data files that a model refers to, relative to its folder, sorted. INVALID_ARGUMENT if one escapes the folder.
absl::StatusOr<std::vector<std::string>> ExternalDataFiles(std::span<const std::byte> model);

}  // namespace slipway
