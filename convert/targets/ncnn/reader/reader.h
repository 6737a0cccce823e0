// What an NCNN model holds: the layers of its .param and the weights of its .bin. Reads any text .param; shares nothing with
// the writer. (Tencent/ncnn, docs/developer-guide/param-and-model-file-structure.md, operation-param-weight-table.md)
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway::ncnn_reader {

struct LayerInfo {
  std::string type, name;
  std::vector<std::string> inputs, outputs;        // blobs
  std::map<int, std::vector<std::string>> params;  // by id; arrays under the id that they are the array of

  // Number i of a parameter; `fallback` when it is absent or an expression.
  int64_t Int(int id, int64_t fallback, size_t i = 0) const;
};

struct ModelInfo {
  std::vector<LayerInfo> layers;
  int64_t blobs = 0;
};

// DATA_LOSS naming the line: counts that do not hold, a blob read before it is made or made twice.
absl::StatusOr<ModelInfo> ReadParam(std::string_view text);

struct WeightInfo {
  size_t layer = 0;
  std::string_view type;  // "float32", "float16", "int8"
  int64_t elements = 0;
  int64_t bytes = 0;  // without flag and padding
};

struct WeightsInfo {
  std::vector<WeightInfo> weights;
  uint64_t bytes_read = 0;
  // Index of a layer whose weights this reader does not know (nothing behind it was read); -1: all were read.
  int64_t unknown_layer = -1;
};

// DATA_LOSS: shorter than the layers need.
absl::StatusOr<WeightsInfo> ReadWeights(const ModelInfo& model, std::span<const std::byte> bin);

}  // namespace slipway::ncnn_reader
