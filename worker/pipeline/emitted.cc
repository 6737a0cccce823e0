#include "worker/pipeline/emitted.h"

#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/task/fields.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr std::string_view kSchema = "slipway.emitted/1";

json ToJsonValue(const InterfaceTensor& tensor) {
  return {{"name", tensor.name},
          {"source", tensor.source},
          {"shape", tensor.shape},
          {"dtype", Name(tensor.type)},
          {"layout", tensor.layout},
          {"permutation", tensor.permutation},
          {"dropped_axis", tensor.dropped_axis}};
}

json ToJsonValue(const ArtifactValue& value) {
  return {{"name", value.name},
          {"source", value.origin.source},
          {"permutation", value.origin.permutation},
          {"channel_scale", value.origin.channel_scale},
          {"channel_axis", value.origin.channel_axis},
          {"dropped_axis", value.dropped_axis}};
}

template <typename T>
json ToJsonValues(const std::vector<T>& values) {
  json list = json::array();
  for (const T& value : values) list.push_back(ToJsonValue(value));
  return list;
}

template <typename T>
std::vector<T> Numbers(Fields& fields, const char* key) {
  std::vector<T> numbers;
  for (const json& number : fields.Array(key)) {
    if (!number.is_number()) {
      fields.Fail(key, "must hold numbers");
      break;
    }
    numbers.push_back(number.get<T>());
  }
  return numbers;
}

absl::StatusOr<InterfaceTensor> ReadTensor(const json& value, std::string where) {
  Fields fields(value, std::move(where));
  InterfaceTensor tensor;
  tensor.name = fields.String("name");
  tensor.source = fields.String("source");
  tensor.shape = Numbers<int64_t>(fields, "shape");
  tensor.type = DataTypeFromName(fields.String("dtype"));
  tensor.layout = fields.String("layout");
  tensor.permutation = Numbers<int64_t>(fields, "permutation");
  tensor.dropped_axis = fields.Integer<int64_t>("dropped_axis");
  RETURN_IF_ERROR(fields.Finish());
  return tensor;
}

absl::StatusOr<ArtifactValue> ReadValue(const json& value, std::string where) {
  Fields fields(value, std::move(where));
  ArtifactValue artifact;
  artifact.name = fields.String("name");
  artifact.origin.source = fields.String("source");
  artifact.origin.permutation = Numbers<int64_t>(fields, "permutation");
  artifact.origin.channel_scale = Numbers<float>(fields, "channel_scale");
  artifact.origin.channel_axis = fields.Integer<int64_t>("channel_axis");
  artifact.dropped_axis = fields.Integer<int64_t>("dropped_axis");
  RETURN_IF_ERROR(fields.Finish());
  return artifact;
}

template <typename T, typename Read>
std::vector<T> ReadAll(Fields& fields, const char* key, const Read& read) {
  std::vector<T> values;
  const json& list = fields.Array(key);
  for (size_t i = 0; i < list.size(); ++i) {
    absl::StatusOr<T> value = read(list[i], fields.Where(key, i));
    if (value.ok()) values.push_back(*std::move(value));
    fields.Adopt(value.status());
  }
  return values;
}

}  // namespace

std::string EmittedText(const Emitted& emitted) {
  const json document = {{"schema", kSchema},
                         {"path", emitted.path},
                         {"inputs", ToJsonValues(emitted.io.inputs)},
                         {"outputs", ToJsonValues(emitted.io.outputs)},
                         {"values", ToJsonValues(emitted.values)},
                         {"requires", emitted.requires_runtime},
                         {"files", emitted.files}};
  try {
    return document.dump();
  } catch (const json::type_error&) {
    return "";
  }
}

absl::StatusOr<Emitted> ParseEmitted(std::string_view text) {
  absl::StatusOr<json> document = ParseDocument(text, kSchema);
  if (!document.ok()) return DataLoss("what was kept of an artifact: {}", Message(document.status()));
  Fields fields(*document, "");
  fields.String("schema");
  Emitted emitted;
  emitted.path = fields.String("path");
  emitted.io.inputs = ReadAll<InterfaceTensor>(fields, "inputs", ReadTensor);
  emitted.io.outputs = ReadAll<InterfaceTensor>(fields, "outputs", ReadTensor);
  emitted.values = ReadAll<ArtifactValue>(fields, "values", ReadValue);
  emitted.requires_runtime = fields.String("requires");
  for (const json& file : fields.Array("files")) {
    if (!file.is_string()) {
      fields.Fail("files", "must hold names");
      break;
    }
    emitted.files.push_back(file.get<std::string>());
  }
  if (absl::Status read = fields.Finish(); !read.ok())
    return DataLoss("what was kept of an artifact: {}", Message(read));
  return emitted;
}

}  // namespace slipway
