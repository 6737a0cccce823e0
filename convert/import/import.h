// Any source → core IR: the one door into the converter.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "convert/import/source.h"
#include "convert/ir/graph.h"

namespace slipway {

struct Imported {
  Model model;  // simplified: core IR
  std::unique_ptr<Graph>
      as_written;  // before simplification: what the reference runs (kCheckpoint, kDummy); null for kOnnx: the file itself is
  std::string
      reference;  // the manifest's: "onnxruntime on the source file", "zoo graph, checked against facenet-pytorch 2.6.0"
  std::vector<std::string> warnings;
};

// Errors are INVALID_ARGUMENT / UNIMPLEMENTED / DATA_LOSS (the model's fault), one line: what, where (file, node, key), how to fix.
absl::StatusOr<Imported> Import(const Source& source);

}  // namespace slipway
