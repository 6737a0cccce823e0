// Any source → core IR: the one door into the converter.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "convert/import/source.h"
#include "convert/ir/graph.h"

namespace slipway {

struct Imported {
  Model model;  // simplified: core IR
  // Before simplification, edited but not renamed: what the reference runs. Null for an ONNX file of which no edit was asked: the file itself is.
  std::unique_ptr<Graph> as_written;
  // kOnnx with edits: as read, to be compared with the file itself; else null. Where the file can be cut (onnx/cut.h): fixed and cut, nothing else, to be
  // compared with the file cut alike.
  std::unique_ptr<Graph> unedited;
  bool cuts_file = false;
  std::string
      reference;  // the manifest's: "onnxruntime on the source file", "zoo graph, checked against facenet-pytorch 2.6.0"
  std::vector<std::string> warnings;
  std::optional<size_t> labelled_output;  // whose classes the labels name
};

// Errors are INVALID_ARGUMENT / UNIMPLEMENTED / DATA_LOSS (the model's fault), one line: what, where (file, node, key), how to fix.
absl::StatusOr<Imported> Import(const Source& source);

}  // namespace slipway
