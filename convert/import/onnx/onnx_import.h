// ONNX files → IR. Every opset from 7 to 26 is upgraded here to the one dialect; no later stage knows opset numbers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/source.h"
#include "convert/ir/graph.h"

namespace slipway {

// Reads an ONNX model. Weights are views into the mapped files (found by walking the wire format; nothing is copied).
// Values keep the source's tensor names, each is its own origin. Not simplified.
// `unsupported`, if given, receives the refusal of every node that has no form in the dialect, instead of the first being
// returned as UNIMPLEMENTED: the outputs of such a node become inputs of the graph, of no type and rank.
absl::StatusOr<Model> ImportOnnx(const Source& source, std::vector<absl::Status>* unsupported = nullptr);

// Names of the external data files that a model refers to, relative to its folder, sorted. INVALID_ARGUMENT if one escapes the folder.
absl::StatusOr<std::vector<std::string>> ExternalDataFiles(std::span<const std::byte> model);

}  // namespace slipway
