// What a .tflite file holds: tensors, operators, signatures. Reads any TFLite model, also ones with operators that are not
// written here; shares nothing with the writer but the generated schema.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway::tflite_reader {

struct TensorInfo {
  std::string name;
  std::string type;             // numpy's name; "type 21" of one that this reader does not know
  int64_t bits = 0;             // an element; 0: of no fixed size (strings, resources)
  std::vector<int64_t> shape;   // -1: dynamic
  bool has_rank = true;         // whether `shape` says anything
  uint64_t constant_bytes = 0;  // 0: made at run time
  bool quantized = false;
};

struct OperatorInfo {
  std::string name;  // "CONV_2D"; a custom one's own name behind "custom:"
  int version = 1;
  std::vector<int> inputs, outputs;  // tensors; -1: left out
};

struct SubgraphInfo {
  std::string name;
  std::vector<TensorInfo> tensors;
  std::vector<OperatorInfo> operators;
  std::vector<int> inputs, outputs;
};

// A signature's name for a tensor.
struct SignatureTensor {
  std::string name;
  int tensor = 0;
};

struct SignatureInfo {
  std::string key;
  size_t subgraph = 0;
  std::vector<SignatureTensor> inputs, outputs;
};

struct ModelInfo {
  uint32_t version = 0;
  std::string description;
  std::string min_runtime_version;  // of the metadata; "" if not said
  std::vector<SubgraphInfo> subgraphs;
  std::vector<SignatureInfo> signatures;
};

// Every offset is verified, every index and buffer checked. DATA_LOSS: damaged, saying what.
absl::StatusOr<ModelInfo> ReadTflite(std::span<const std::byte> file);

}  // namespace slipway::tflite_reader
