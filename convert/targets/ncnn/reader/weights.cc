#include <cstring>
#include <functional>

#include "common/base/error.h"
#include "convert/targets/ncnn/reader/reader.h"

namespace slipway::ncnn_reader {
namespace {

// One weight that a layer has in the .bin. Tagged ones begin with a flag that names their type.
struct Expected {
  int64_t elements;
  bool tagged;
};
using Weights = std::vector<Expected>;

Weights Convolution(const LayerInfo& layer) {
  if (layer.Int(19, 0) != 0) return {};  // weights come as an input
  Weights weights = {{layer.Int(6, 0), true}};
  if (layer.Int(5, 0) != 0) weights.push_back({layer.Int(0, 0), false});
  if (const int64_t int8 = layer.Int(8, 0); int8 != 0) {
    const bool per_group = layer.type == "ConvolutionDepthWise" || layer.type == "DeconvolutionDepthWise";
    const bool one_scale = per_group && (int8 == 2 || int8 == 102);
    weights.push_back({one_scale ? 1 : layer.Int(per_group ? 7 : 0, 0), false});
    weights.push_back({1, false});
    if (int8 > 100) weights.push_back({1, false});
  }
  return weights;
}

Weights InnerProduct(const LayerInfo& layer) {
  Weights weights = {{layer.Int(2, 0), true}};
  if (layer.Int(1, 0) != 0) weights.push_back({layer.Int(0, 0), false});
  if (const int64_t int8 = layer.Int(8, 0); int8 != 0) {
    weights.push_back({layer.Int(0, 0), false});
    weights.push_back({1, false});
    if (int8 > 100) weights.push_back({1, false});
  }
  return weights;
}

Weights BatchNorm(const LayerInfo& layer) { return Weights(4, {layer.Int(0, 0), false}); }

Weights Scale(const LayerInfo& layer) {
  const int64_t size = layer.Int(0, 0);
  if (size == -233) return {};  // the scale comes as an input
  return Weights(layer.Int(1, 0) != 0 ? 2 : 1, {size, false});
}

Weights OneRow(const LayerInfo& layer) { return {{layer.Int(0, 0), false}}; }

Weights MemoryData(const LayerInfo& layer) {
  int64_t count = 1;
  for (const int id : {0, 1, 11, 2}) {
    const int64_t size = layer.Int(id, 0);
    if (size != 0 && __builtin_mul_overflow(count, size, &count)) return {{-1, false}};
  }
  return {{count, layer.Int(21, 1) == 0}};
}

// Gamma and beta, unless `affine` is off.
Weights Affine(const LayerInfo& layer, int size, int affine, size_t count) {
  return layer.Int(affine, 1) != 0 ? Weights(count, {layer.Int(size, 0), false}) : Weights();
}

Weights Embed(const LayerInfo& layer) {
  Weights weights = {{layer.Int(3, 0), true}};
  if (layer.Int(2, 0) != 0) weights.push_back({layer.Int(0, 0), false});
  if (layer.Int(18, 0) != 0) weights.push_back({1, false});
  return weights;
}

Weights Gemm(const LayerInfo& layer) {
  const int64_t m = layer.Int(7, 0), n = layer.Int(8, 0), k = layer.Int(9, 0);
  const auto product = [](int64_t a, int64_t b) {
    int64_t count = 0;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &count) ? -1 : count;
  };
  Weights weights;
  if (layer.Int(4, 0) != 0) weights.push_back({product(m, k), true});
  if (layer.Int(5, 0) != 0) weights.push_back({product(n, k), true});
  if (layer.Int(6, 0) != 0) {
    switch (layer.Int(10, 0)) {  // how C broadcasts
      case 0:
        weights.push_back({1, true});
        break;
      case 1:
      case 2:
        weights.push_back({m, true});
        break;
      case 3:
        weights.push_back({product(m, n), true});
        break;
      case 4:
        weights.push_back({n, true});
        break;
      default:
        break;
    }
  }
  return weights;
}

struct Row {
  std::string_view type;
  Weights (*weights)(const LayerInfo&);
};

constexpr Row kRows[] = {
    {"Convolution", Convolution},
    {"ConvolutionDepthWise", Convolution},
    {"Deconvolution", Convolution},
    {"DeconvolutionDepthWise", Convolution},
    {"Convolution1D", Convolution},
    {"ConvolutionDepthWise1D", Convolution},
    {"Deconvolution1D", Convolution},
    {"DeconvolutionDepthWise1D", Convolution},
    {"Convolution3D", Convolution},
    {"ConvolutionDepthWise3D", Convolution},
    {"Deconvolution3D", Convolution},
    {"DeconvolutionDepthWise3D", Convolution},
    {"InnerProduct", InnerProduct},
    {"BatchNorm", BatchNorm},
    {"Scale", Scale},
    {"Bias", OneRow},
    {"PReLU", OneRow},
    {"Quantize", OneRow},
    {"MemoryData", MemoryData},
    {"LayerNorm", [](const LayerInfo& layer) { return Affine(layer, 0, 2, 2); }},
    {"RMSNorm", [](const LayerInfo& layer) { return Affine(layer, 0, 2, 1); }},
    {"GroupNorm", [](const LayerInfo& layer) { return Affine(layer, 1, 3, 2); }},
    {"InstanceNorm", [](const LayerInfo& layer) { return Affine(layer, 0, 2, 2); }},
    {"Normalize",
     [](const LayerInfo& layer) {
       return Weights{{layer.Int(3, 0), false}};
     }},
    {"Embed", Embed},
    {"Gemm", Gemm},
};

// Layers with weights of an order that is not written down here.
constexpr std::string_view kUnknown[] = {"LSTM",
                                         "GRU",
                                         "RNN",
                                         "MultiHeadAttention",
                                         "Requantize",
                                         "Dequantize",
                                         "DeformableConv2D",
                                         "SDPA",
                                         "Spectrogram",
                                         "InverseSpectrogram"};

constexpr uint32_t kHalfFlag = 0x01306B47, kInt8Flag = 0x000D4B38, kPlainFlag = 0x0002C056;
constexpr int64_t kTableBytes = 256 * 4;  // of weights that are indices into a table

class BinReader {
 public:
  BinReader(const ModelInfo& model, std::span<const std::byte> bin) : model_(model), bin_(bin) {}

  absl::StatusOr<WeightsInfo> Read() {
    WeightsInfo info;
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      const LayerInfo& layer = model_.layers[i];
      for (const std::string_view type : kUnknown) {
        if (layer.type != type) continue;
        info.unknown_layer = static_cast<int64_t>(i);
        info.bytes_read = at_;
        return info;
      }
      for (const Row& row : kRows) {
        if (row.type != layer.type) continue;
        for (const Expected& expected : row.weights(layer)) {
          if (expected.elements == 0) continue;
          ASSIGN_OR_RETURN(WeightInfo weight, ReadWeight(layer, expected));
          weight.layer = i;
          info.weights.push_back(weight);
        }
      }
    }
    info.bytes_read = at_;
    return info;
  }

 private:
  absl::StatusOr<WeightInfo> ReadWeight(const LayerInfo& layer, const Expected& expected) {
    if (expected.elements < 0 || expected.elements > INT64_MAX / 8)
      return DataLoss("layer '{}' claims an impossible number of weights", layer.name);
    WeightInfo weight{.type = "float32", .elements = expected.elements, .bytes = expected.elements * 4};
    int64_t stored = weight.bytes;
    if (expected.tagged) {
      ASSIGN_OR_RETURN(const uint32_t flag, Flag(layer));
      if (flag == kHalfFlag) {
        weight = {.type = "float16", .elements = expected.elements, .bytes = expected.elements * 2};
        stored = (weight.bytes + 3) / 4 * 4;
      } else if (flag == kInt8Flag) {
        weight = {.type = "int8", .elements = expected.elements, .bytes = expected.elements};
        stored = (weight.bytes + 3) / 4 * 4;
      } else if (flag != 0 && flag != kPlainFlag) {
        weight = {.type = "uint8", .elements = expected.elements, .bytes = expected.elements};
        stored = kTableBytes + (weight.bytes + 3) / 4 * 4;
      }
    }
    RETURN_IF_ERROR(Need(layer, stored));
    at_ += static_cast<uint64_t>(stored);
    return weight;
  }

  absl::StatusOr<uint32_t> Flag(const LayerInfo& layer) {
    RETURN_IF_ERROR(Need(layer, 4));
    uint32_t flag = 0;
    std::memcpy(&flag, bin_.data() + at_, sizeof(flag));
    at_ += sizeof(flag);
    return flag;
  }

  absl::Status Need(const LayerInfo& layer, int64_t bytes) const {
    if (static_cast<uint64_t>(bytes) <= bin_.size() - at_) return absl::OkStatus();
    return DataLoss("truncated: layer '{}' needs {} bytes at {} of the .bin, which has {}", layer.name, bytes, at_,
                    bin_.size());
  }

  const ModelInfo& model_;
  std::span<const std::byte> bin_;
  uint64_t at_ = 0;
};

}  // namespace

absl::StatusOr<WeightsInfo> ReadWeights(const ModelInfo& model, std::span<const std::byte> bin) {
  return BinReader(model, bin).Read();
}

}  // namespace slipway::ncnn_reader
