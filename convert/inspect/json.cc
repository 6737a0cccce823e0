#include <charconv>
#include <nlohmann/json.hpp>

#include "convert/inspect/summary.h"

namespace slipway {
namespace {

using Json = nlohmann::ordered_json;

Json Size(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return text;
}

Json ToJson(const TensorSummary& tensor) {
  Json shape;  // null: not said
  if (tensor.shape) {
    shape = Json::array();
    for (const std::string& size : *tensor.shape) shape.push_back(Size(size));
  }
  return {{"name", tensor.name}, {"shape", shape}, {"dtype", tensor.type.empty() ? Json() : Json(tensor.type)}};
}

Json ToJson(const std::vector<TensorSummary>& tensors) {
  Json list = Json::array();
  for (const TensorSummary& tensor : tensors) list.push_back(ToJson(tensor));
  return list;
}

}  // namespace

std::string ToJson(const ModelSummary& summary, bool nodes) {
  Json facts = Json::object(), operators = Json::object(), weights = Json::array(), files = Json::array();
  for (const auto& [key, value] : summary.facts) facts[key] = value;
  for (const auto& [op, count] : summary.Operators()) operators[op] = count;
  for (const auto& [type, row] : summary.weights) {
    weights.push_back({{"dtype", type}, {"tensors", row.tensors}, {"elements", row.elements}, {"bytes", row.bytes}});
  }
  for (const FileSummary& file : summary.files) files.push_back({{"path", file.path}, {"bytes", file.bytes}});
  Json json = {{"schema", "slipway.inspect/1"},
               {"format", summary.format},
               {"facts", facts},
               {"producer", summary.producer.empty() ? Json() : Json(summary.producer)},
               {"inputs", ToJson(summary.inputs)},
               {"outputs", ToJson(summary.outputs)},
               {"operators", operators},
               {"weights", weights},
               {"files", files},
               {"remarks", summary.remarks}};
  if (summary.format == "checkpoint") {
    json["tensors"] = ToJson(summary.tensors);
    json["fits"] = summary.fits;
  }
  if (nodes) {
    Json list = Json::array();
    for (const NodeSummary& node : summary.nodes) {
      list.push_back({{"op", node.op},
                      {"name", node.name},
                      {"inside", node.inside.empty() ? Json() : Json(node.inside)},
                      {"inputs", node.inputs},
                      {"outputs", ToJson(node.outputs)}});
    }
    json["nodes"] = list;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace slipway
