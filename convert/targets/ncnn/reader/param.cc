#include <charconv>

#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "convert/targets/ncnn/reader/reader.h"

namespace slipway::ncnn_reader {
namespace {

constexpr std::string_view kMagic = "7767517";
constexpr int kArrayBase = -23300;
constexpr size_t kMinLayerBytes = 6;  // "a b 0 0": a claimed count must fit the file

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlanks = " \t\r\f\v";
  for (size_t start = line.find_first_not_of(kBlanks); start != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, start), line.size());
    words.push_back(line.substr(start, end - start));
    start = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

bool ParseInt(std::string_view text, int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

class ParamReader {
 public:
  explicit ParamReader(std::string_view text) : text_(text) {}

  absl::StatusOr<ModelInfo> Read() {
    std::string_view line;
    if (!Next(line) || Words(line) != std::vector<std::string_view>{kMagic})
      return DataLoss("no NCNN model: the first line is not {}", kMagic);
    int64_t layers = 0;
    ModelInfo model;
    std::vector<std::string_view> words;
    if (Next(line)) words = Words(line);
    if (words.size() != 2 || !ParseInt(words[0], layers) || !ParseInt(words[1], model.blobs) || layers <= 0 ||
        model.blobs <= 0) {
      return Damaged("the counts of layers and blobs are expected");
    }
    if (static_cast<uint64_t>(layers) > text_.size() / kMinLayerBytes)
      return Damaged(fmt::format("{} layers are claimed, which this file cannot hold", layers));
    while (Next(line)) {
      words = Words(line);
      if (words.empty()) continue;
      ASSIGN_OR_RETURN(LayerInfo layer, ReadLayer(words));
      model.layers.push_back(std::move(layer));
    }
    if (static_cast<int64_t>(model.layers.size()) != layers)
      return DataLoss("{} layers are claimed, {} are there; the file is truncated or was changed", layers,
                      model.layers.size());
    if (static_cast<int64_t>(made_.size()) != model.blobs)
      return DataLoss("{} blobs are claimed, the layers make {}", model.blobs, made_.size());
    return model;
  }

 private:
  bool Next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    return true;
  }

  absl::Status Damaged(std::string_view what) const { return DataLoss("line {}: {}", number_, what); }

  absl::StatusOr<LayerInfo> ReadLayer(const std::vector<std::string_view>& words) {
    LayerInfo layer;
    int64_t inputs = 0, outputs = 0;
    if (words.size() < 4 || !ParseInt(words[2], inputs) || !ParseInt(words[3], outputs) || inputs < 0 || outputs < 0)
      return Damaged("a layer's type, name and counts of inputs and outputs are expected");
    layer.type = words[0];
    layer.name = words[1];
    const auto rest = static_cast<int64_t>(words.size()) - 4;
    if (inputs > rest || outputs > rest - inputs)
      return Damaged(fmt::format("layer '{}' claims {} inputs and {} outputs, but the line ends before", layer.name,
                                 inputs, outputs));
    size_t at = 4;
    for (int64_t i = 0; i < inputs; ++i) layer.inputs.emplace_back(words[at++]);
    for (int64_t i = 0; i < outputs; ++i) layer.outputs.emplace_back(words[at++]);
    for (const std::string& input : layer.inputs) {
      if (!made_.contains(input))
        return Damaged(fmt::format("layer '{}' reads '{}', which nothing before it makes", layer.name, input));
    }
    for (const std::string& output : layer.outputs) {
      if (!made_.insert(output).second) return Damaged(fmt::format("blob '{}' is made twice", output));
    }
    for (; at < words.size(); ++at) RETURN_IF_ERROR(ReadParameter(words[at], layer));
    return layer;
  }

  absl::Status ReadParameter(std::string_view word, LayerInfo& layer) {
    const size_t equals = word.find('=');
    int64_t id = 0;
    if (equals == std::string_view::npos || !ParseInt(word.substr(0, equals), id))
      return Damaged(fmt::format("layer '{}': '{}' is no parameter", layer.name, word));
    std::vector<std::string> values = SplitAtCommas(word.substr(equals + 1));
    if (id <= kArrayBase) {
      int64_t count = 0;
      if (!ParseInt(values[0], count) || count != static_cast<int64_t>(values.size()) - 1)
        return Damaged(
            fmt::format("layer '{}': array '{}' does not hold as many values as it claims", layer.name, word));
      values.erase(values.begin());
      id = kArrayBase - id;
    }
    if (id < 0 || id > 1000) return Damaged(fmt::format("layer '{}': there is no parameter {}", layer.name, id));
    layer.params[static_cast<int>(id)] = std::move(values);
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
  int64_t number_ = 0;
  absl::flat_hash_set<std::string> made_;
};

}  // namespace

int64_t LayerInfo::Int(int id, int64_t fallback, size_t i) const {
  const auto found = params.find(id);
  int64_t value = 0;
  return found != params.end() && i < found->second.size() && ParseInt(found->second[i], value) ? value : fallback;
}

absl::StatusOr<ModelInfo> ReadParam(std::string_view text) { return ParamReader(text).Read(); }

}  // namespace slipway::ncnn_reader
