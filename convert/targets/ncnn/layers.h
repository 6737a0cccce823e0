// An NCNN model being made: layers in order, their parameters and weights, and the two files they become.
//
// .param: text, a line a layer; .bin: the weights in the layers' order (Tencent/ncnn, docs/developer-guide/param-and-model-file-structure.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "convert/ir/tensor.h"

namespace slipway::ncnn {

using Param = std::variant<int64_t, float, std::vector<int64_t>, std::vector<float>, std::string>;
using Params = std::vector<std::pair<int, Param>>;  // by the layer type's parameter ids

struct Weights {
  Tensor tensor;  // float32
  bool tagged;    // led by the storage flag (0: float32); biases, slopes and statistics are not
};

struct Layer {
  std::string type;
  std::string name;
  std::vector<std::string> inputs, outputs;  // blobs
  Params params;
  std::vector<Weights> weights;
};

class LayerList {
 public:
  // A blob or layer name not used yet, made of `wanted`: printable, without spaces, at most 200 bytes.
  std::string UniqueBlob(std::string_view wanted) { return Unique(wanted, blobs_); }
  std::string UniqueLayer(std::string_view wanted) { return Unique(wanted, names_); }
  void Add(Layer layer) { layers_.push_back(std::move(layer)); }

  // Gives every blob one consumer: a Split behind the producer of one that has more. `outputs` are consumers too, and keep their names.
  void InsertSplits(const std::vector<std::string>& outputs);

  absl::Status Write(const std::filesystem::path& param_file, const std::filesystem::path& bin_file) const;

 private:
  static std::string Unique(std::string_view wanted, absl::flat_hash_set<std::string>& taken);
  std::string ParamText() const;

  std::vector<Layer> layers_;
  absl::flat_hash_set<std::string> blobs_, names_;
};

}  // namespace slipway::ncnn
