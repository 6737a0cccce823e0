// What a model file says of itself: `slipway inspect`. Reads every format that is written here, and more of it than can be
// converted: an unknown op or a newer opset is shown, not refused.
//
// Files are untrusted: whatever they say is checked before it is used, and a damaged one ends in an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

struct TensorSummary {
  std::string name;
  std::string type;  // numpy's name where numpy has the type: "float32", "int4", "string"; "" if unknown
  std::optional<std::vector<std::string>> shape;  // sizes: numbers, names ("batch"), "?"; nullopt: not said
};

struct NodeSummary {
  std::string op;      // the format's word for it; of another domain than the format's own "domain::Op"
  std::string name;    // may be empty
  std::string inside;  // of a node in a sub-graph or function: where that is; "" at the top
  std::vector<std::string> inputs;
  std::vector<TensorSummary> outputs;
};

struct WeightSummary {
  int64_t tensors = 0, elements = 0, bytes = 0;
};

struct FileSummary {
  std::string path;  // as given, or relative to what was given
  uint64_t bytes = 0;
};

struct ModelSummary {
  std::string format;                                      // "onnx", "tflite", "coreml", "ncnn", "checkpoint"
  std::vector<std::pair<std::string, std::string>> facts;  // by the format's own words: {"opset", "17"}
  std::string producer;                                    // "" if not said
  std::vector<TensorSummary> inputs, outputs;
  std::vector<NodeSummary> nodes;
  std::map<std::string, WeightSummary> weights;  // by element type
  std::vector<FileSummary> files;
  std::vector<TensorSummary> tensors;  // of a checkpoint: what it holds
  std::vector<std::string> fits;       // of a checkpoint: built-in architectures that it fits
  std::vector<std::string> remarks;    // what a reader should know: external data that is missing, weights not counted

  // Op → how many nodes.
  std::map<std::string, int64_t> Operators() const;
};

// The format is found by content, except that NCNN's text is known by its first line and a Core ML file by its ending. A folder that
// is no .mlpackage stands for the only model in it. NOT_FOUND: no such file;
// INVALID_ARGUMENT: of no known format; DATA_LOSS and the like: damaged, saying where.
absl::StatusOr<ModelSummary> Inspect(const std::filesystem::path& path);

// "schema": "slipway.inspect/1" (docs/cli.md). `nodes`: every node too.
std::string ToJson(const ModelSummary& summary, bool nodes);

}  // namespace slipway
