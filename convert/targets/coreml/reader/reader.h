// The Core ML reader: an .mlpackage from disk, back into the IR. It is the judge of targets/coreml's writer and shares nothing
// with it but the generated messages: what each MIL op means is written here once more, from Core ML's own documentation.
#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// Reads a package whose model is an ML program (specification version 6 or later, one function "main").
// Inputs and outputs of the graph carry the feature names, every other value its MIL name; constants are views into the mapped weight file.
// Every path, length, offset and type is checked before it is used. INVALID_ARGUMENT / DATA_LOSS: a malformed package, saying where;
// UNIMPLEMENTED: an op, a type or a form of one that the reader does not know, by name.
absl::StatusOr<std::unique_ptr<Graph>> ReadMlpackage(const std::filesystem::path& package);

}  // namespace slipway
