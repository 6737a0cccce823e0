#include "convert/targets/ncnn/layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/output_file.h"

namespace slipway::ncnn {
namespace {

constexpr int kMagic = 7767517;
constexpr int kArrayBase = -23300;
constexpr size_t kMaxNameBytes = 200;

// The reader takes 15 characters a number and knows no infinity: nine significant digits fit exactly and give the float back.
std::string Text(float value) {
  if (std::isnan(value)) value = 0;
  return fmt::format("{:.8e}", std::clamp(value, -FLT_MAX, FLT_MAX));
}
std::string Text(int64_t value) { return std::to_string(value); }

template <typename T>
std::string ArrayText(int id, const std::vector<T>& values) {
  std::string text = fmt::format("{}={}", kArrayBase - id, values.size());
  for (const T value : values) text += "," + Text(value);
  return text;
}

struct ParamWriter {
  int id;
  std::string operator()(int64_t value) const { return fmt::format("{}={}", id, value); }
  std::string operator()(float value) const { return fmt::format("{}={}", id, Text(value)); }
  std::string operator()(const std::vector<int64_t>& values) const { return ArrayText(id, values); }
  std::string operator()(const std::vector<float>& values) const { return ArrayText(id, values); }
  std::string operator()(const std::string& value) const { return fmt::format("{}=\"{}\"", id, value); }
};

}  // namespace

std::string LayerList::Unique(std::string_view wanted, absl::flat_hash_set<std::string>& taken) {
  std::string clean;
  for (const char c : wanted.substr(0, kMaxNameBytes)) clean += (c > 0x20 && c < 0x7f) ? c : '_';
  if (clean.empty()) clean = "blob";
  std::string name = clean;
  for (int suffix = 1; !taken.insert(name).second; ++suffix) name = fmt::format("{}_{}", clean, suffix);
  return name;
}

void LayerList::InsertSplits(const std::vector<std::string>& outputs) {
  struct Consumers {
    std::vector<std::string*> inputs;
    bool is_output = false;
  };
  absl::flat_hash_map<std::string, Consumers> consumers;
  for (Layer& layer : layers_) {
    for (std::string& input : layer.inputs) consumers[input].inputs.push_back(&input);
  }
  for (const std::string& output : outputs) consumers[output].is_output = true;

  std::vector<Layer> result;
  for (Layer& layer : layers_) {
    std::vector<Layer> splits;
    for (std::string& blob : layer.outputs) {
      const auto found = consumers.find(blob);
      if (found == consumers.end() || found->second.inputs.size() + (found->second.is_output ? 1 : 0) < 2) continue;
      Layer split{"Split", UniqueLayer("split_" + blob), {}, {}, {}, {}};
      if (found->second.is_output) {
        split.outputs.push_back(blob);
        blob = UniqueBlob(blob + "_whole");
      }
      for (std::string* input : found->second.inputs) {
        *input = UniqueBlob(fmt::format("{}_split", *input));
        split.outputs.push_back(*input);
      }
      split.inputs.push_back(blob);
      splits.push_back(std::move(split));
    }
    // Strings move with their vectors' buffers: the pointers into later layers' inputs stay good.
    result.push_back(std::move(layer));
    for (Layer& split : splits) result.push_back(std::move(split));
  }
  layers_ = std::move(result);
}

std::string LayerList::ParamText() const {
  size_t blobs = 0;
  for (const Layer& layer : layers_) blobs += layer.outputs.size();
  std::string text = fmt::format("{}\n{} {}\n", kMagic, layers_.size(), blobs);
  for (const Layer& layer : layers_) {
    text += fmt::format("{:<24} {:<24} {} {}", layer.type, layer.name, layer.inputs.size(), layer.outputs.size());
    for (const std::string& blob : layer.inputs) text += " " + blob;
    for (const std::string& blob : layer.outputs) text += " " + blob;
    for (const auto& [id, param] : layer.params) text += " " + std::visit(ParamWriter{id}, param);
    text += "\n";
  }
  return text;
}

absl::Status LayerList::Write(const std::filesystem::path& param_file, const std::filesystem::path& bin_file) const {
  RETURN_IF_ERROR(WriteFileAtomically(param_file, ParamText()));
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(bin_file));
  constexpr uint32_t kFloat32Flag = 0;
  for (const Layer& layer : layers_) {
    for (const Weights& weights : layer.weights) {
      if (weights.tagged) RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(&kFloat32Flag, 1))));
      RETURN_IF_ERROR(file.Write(weights.tensor.bytes()));
    }
  }
  return file.Close();
}

}  // namespace slipway::ncnn
