#include <algorithm>
#include <set>

#include "common/base/file.h"
#include "common/task/fields.h"
#include "common/task/task.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr std::string_view kSchema = "slipway.request/1";
constexpr const char* kPrepare = "prepare";
constexpr const char* kCell = "cell";

// Names become folders and files on the user's machine.
bool IsModelName(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name != "." && name != ".." && std::all_of(name.begin(), name.end(), allowed);
}

json ToJsonValue(const SpecModel& model) {
  json files = json::array();
  for (const SpecFile& file : model.files)
    files.push_back({{"path", file.path}, {"name", file.name}, {"digest", file.digest.ToString()}});
  return {{"name", model.name}, {"kind", model.kind}, {"architecture", model.architecture}, {"files", files}};
}

template <typename T>
json ValueOrNull(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json ToJsonValue(const InterfaceOptions& options) {
  return {{"shapes", options.shapes},
          {"fix", options.fix},
          {"cut_inputs", options.cut_inputs},
          {"cut_outputs", options.cut_outputs},
          {"mean", options.mean},
          {"std", options.std},
          {"scale", ValueOrNull(options.scale)},
          {"softmax", options.softmax},
          {"input_names", options.input_names},
          {"output_names", options.output_names},
          {"channels_last", options.channels_last},
          {"labels", options.labels},
          {"labels_file", options.labels_file}};
}

json ToJsonValue(const SpecOptions& options) {
  return {{"interface", ToJsonValue(options.interface)},
          {"opset", options.opset},
          {"samples", options.samples},
          {"seed", options.seed},
          {"verify", options.verify},
          {"tolerance", ValueOrNull(options.tolerance)},
          {"num_classes", ValueOrNull(options.num_classes)},
          {"input_size", ValueOrNull(options.input_size)}};
}

json ToJsonValue(const SpecTask& task) {
  if (task.kind == SpecTask::Kind::kPrepare) return {{"kind", kPrepare}, {"model", task.model}};
  return {{"kind", kCell},
          {"model", task.model},
          {"target", task.target},
          {"precision", task.precision},
          {"prepare", task.prepare}};
}

absl::StatusOr<SpecFile> ReadFile(const json& value, std::string where) {
  Fields fields(value, std::move(where));
  SpecFile file{fields.String("path"), fields.String("name"), fields.BlobDigest("digest")};
  if (!file.name.empty() && !IsContainedPath(file.name)) fields.Fail("name", "leaves the model's folder");
  RETURN_IF_ERROR(fields.Finish());
  return file;
}

absl::StatusOr<SpecModel> ReadModel(const json& value, std::string where) {
  static constexpr std::string_view kKinds[] = {"onnx", "checkpoint", "dummy", "noop"};
  Fields fields(value, std::move(where));
  SpecModel model{fields.String("name"), fields.String("kind"), fields.String("architecture"), {}};
  if (!IsModelName(model.name)) fields.Fail("name", "must be of A-Z a-z 0-9 . _ -");
  if (std::find(std::begin(kKinds), std::end(kKinds), model.kind) == std::end(kKinds))
    fields.Fail("kind", "must be onnx, checkpoint, dummy or noop");
  const json& files = fields.Array("files");
  for (size_t i = 0; i < files.size(); ++i) {
    absl::StatusOr<SpecFile> file = ReadFile(files[i], fields.Where("files", i));
    if (file.ok()) model.files.push_back(*std::move(file));
    fields.Adopt(file.status());
  }
  RETURN_IF_ERROR(fields.Finish());
  return model;
}

absl::StatusOr<std::vector<int64_t>> ReadShape(const json& value, const std::string& where) {
  if (!value.is_array()) return InvalidArgument("{} must be an array of sizes", where);
  std::vector<int64_t> sizes;
  for (const json& size : value) {
    bool fits =
        size.is_number_integer() && (!size.is_number_unsigned() || std::in_range<int64_t>(size.get<uint64_t>()));
    if (!fits || size.get<int64_t>() < 1) return InvalidArgument("{} must hold sizes of 1 or more", where);
    sizes.push_back(size.get<int64_t>());
  }
  return sizes;
}

absl::StatusOr<std::vector<double>> ReadNumbers(const json& value, const std::string& where) {
  if (!value.is_array()) return InvalidArgument("{} must be an array of numbers", where);
  std::vector<double> numbers;
  for (const json& number : value) {
    if (!number.is_number()) return InvalidArgument("{} must hold numbers", where);
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

absl::StatusOr<std::vector<std::string>> ReadNames(const json& value, const std::string& where) {
  std::vector<std::string> names;
  for (const json& name : value) {
    if (!name.is_string() || name.get_ref<const std::string&>().empty())
      return InvalidArgument("{} must hold names", where);
    names.push_back(name.get<std::string>());
  }
  return names;
}

template <typename T>
T ValueOrFail(Fields& fields, absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  fields.Adopt(value.status());
  return T();
}

absl::StatusOr<InterfaceOptions> ReadInterface(const json& value) {
  Fields fields(value, "options.interface");
  InterfaceOptions options;
  for (const auto& [name, shape] : fields.Object("shapes").items())
    options.shapes[name] = ValueOrFail(fields, ReadShape(shape, fields.Where("shapes." + name)));
  for (const auto& [name, values] : fields.Object("fix").items()) {
    options.fix[name] = ValueOrFail(fields, ReadNumbers(values, fields.Where("fix." + name)));
    if (options.fix[name].empty()) fields.Fail("fix." + name, "must hold a value");
  }
  const auto numbers = [&](const char* key) {
    return ValueOrFail(fields, ReadNumbers(fields.Array(key), fields.Where(key)));
  };
  const auto names = [&](const char* key) {
    return ValueOrFail(fields, ReadNames(fields.Array(key), fields.Where(key)));
  };
  options.cut_inputs = names("cut_inputs");
  options.cut_outputs = names("cut_outputs");
  options.mean = numbers("mean");
  options.std = numbers("std");
  for (const double deviation : options.std) {
    if (!(deviation > 0)) fields.Fail("std", "must hold positive numbers");
  }
  if (fields.Has("scale")) {
    options.scale = fields.Number("scale");
    if (!(*options.scale > 0)) fields.Fail("scale", "must be positive");
  }
  options.softmax = fields.Bool("softmax");
  options.input_names = names("input_names");
  options.output_names = names("output_names");
  options.channels_last = fields.Bool("channels_last");
  options.labels = names("labels");
  options.labels_file = fields.String("labels_file");
  RETURN_IF_ERROR(fields.Finish());
  return options;
}

absl::StatusOr<SpecOptions> ReadOptions(const json& value) {
  Fields fields(value, "options");
  SpecOptions options;
  options.interface = ValueOrFail(fields, ReadInterface(fields.Object("interface")));
  options.opset = fields.Integer<int>("opset", 1);
  options.samples = fields.Integer<int>("samples", 1);
  options.seed = fields.Integer<uint64_t>("seed");
  options.verify = fields.Bool("verify");
  if (fields.Has("tolerance")) {
    options.tolerance = fields.Number("tolerance");
    if (*options.tolerance < 0) fields.Fail("tolerance", "must not be negative");
  }
  if (fields.Has("num_classes")) options.num_classes = fields.Integer<int64_t>("num_classes", 1);
  if (fields.Has("input_size")) options.input_size = fields.Integer<int64_t>("input_size", 1);
  RETURN_IF_ERROR(fields.Finish());
  return options;
}

absl::StatusOr<SpecTask> ReadTask(const json& value, std::string where, size_t models) {
  Fields fields(value, std::move(where));
  SpecTask task;
  std::string kind = fields.String("kind");
  task.model = fields.Integer<uint32_t>("model");
  if (task.model >= models) fields.Fail("model", "names no model of this request");
  if (kind == kCell) {
    task.kind = SpecTask::Kind::kCell;
    task.target = fields.String("target");
    task.precision = fields.String("precision");
    task.prepare = fields.Integer<int32_t>("prepare", -1);
  } else if (kind != kPrepare) {
    fields.Fail("kind", "must be prepare or cell");
  }
  RETURN_IF_ERROR(fields.Finish());
  return task;
}

absl::Status CheckReferences(const RequestSpec& spec) {
  std::set<std::string_view> names;
  for (const SpecModel& model : spec.models) {
    if (!names.insert(model.name).second) return InvalidArgument("models: two are named \"{}\"", model.name);
  }
  for (size_t i = 0; i < spec.tasks.size(); ++i) {
    int32_t prepare = spec.tasks[i].prepare;
    if (prepare < 0) continue;
    if (std::cmp_greater_equal(prepare, spec.tasks.size()) || spec.tasks[prepare].kind != SpecTask::Kind::kPrepare)
      return InvalidArgument("tasks[{}].prepare: task {} is no prepare task of this request", i, prepare);
  }
  return absl::OkStatus();
}

}  // namespace

// Written piece by piece, in the order of the keys: a document of tens of thousands of models would take ten times the memory of its text.
std::string RequestSpec::ToJson() const {
  std::string text = "{";
  const auto key = [&](std::string_view name) { text += fmt::format("{}\"{}\":", text.size() > 1 ? "," : "", name); };
  const auto list = [&](std::string_view name, const auto& values) {
    key(name);
    text += '[';
    for (const auto& value : values) {
      if (text.back() != '[') text += ',';
      text += Dump(ToJsonValue(value));
    }
    text += ']';
  };
  if (fresh) {
    key("fresh");
    text += "true";
  }
  list("models", models);
  key("options");
  text += Dump(ToJsonValue(options));
  key("schema");
  text += Dump(kSchema);
  list("tasks", tasks);
  return text + "}";
}

absl::StatusOr<RequestSpec> RequestSpec::FromJson(std::string_view text) {
  ASSIGN_OR_RETURN(json document, ParseDocument(text, kSchema));
  Fields fields(document, "");
  fields.String("schema");
  RequestSpec spec;
  const json& models = fields.Array("models");
  const json& tasks = fields.Array("tasks");
  const json& options = fields.Object("options");
  if (fields.Has("fresh")) spec.fresh = fields.Bool("fresh");
  RETURN_IF_ERROR(fields.Finish());
  for (size_t i = 0; i < models.size(); ++i) {
    ASSIGN_OR_RETURN(SpecModel model, ReadModel(models[i], fields.Where("models", i)));
    spec.models.push_back(std::move(model));
  }
  ASSIGN_OR_RETURN(spec.options, ReadOptions(options));
  for (size_t i = 0; i < tasks.size(); ++i) {
    ASSIGN_OR_RETURN(SpecTask task, ReadTask(tasks[i], fields.Where("tasks", i), spec.models.size()));
    spec.tasks.push_back(std::move(task));
  }
  RETURN_IF_ERROR(CheckReferences(spec));
  return spec;
}

}  // namespace slipway
