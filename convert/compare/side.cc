#include "convert/compare/side.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/capabilities/capabilities.h"
#include "convert/inspect/summary.h"

namespace slipway::compare {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string TextOf(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

json ListOf(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_array() ? *found : json::array();
}

// An export that a path lies in.
struct Export {
  fs::path root;
  json manifest;
  std::string inside;  // of the path, relative to the root, '/'-separated; "" for the root itself
};

// Nothing if the path lies in no export.
std::optional<Export> FindExport(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(path, error);
  if (error) return std::nullopt;
  fs::path root = whole;
  // A root holds <model>/<cell>/<file>.
  for (int up = 0; up <= 3; ++up, root = root.parent_path()) {
    if (!fs::is_regular_file(root / "manifest.json", error)) continue;
    const absl::StatusOr<std::string> text = ReadFile(root / "manifest.json");
    if (!text.ok()) return std::nullopt;
    json manifest = json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (!TextOf(manifest, "schema").starts_with("slipway.manifest/")) return std::nullopt;
    const fs::path inside = whole.lexically_relative(root);
    return Export{root, std::move(manifest), inside == "." ? "" : inside.generic_string()};
  }
  return std::nullopt;
}

std::vector<InterfaceTensor> ReadInterface(const json& list) {
  std::vector<InterfaceTensor> tensors;
  for (const json& entry : list) {
    InterfaceTensor tensor;
    tensor.name = TextOf(entry, "name");
    tensor.source = TextOf(entry, "source");
    tensor.type = DataTypeFromName(TextOf(entry, "dtype"));
    tensor.layout = TextOf(entry, "layout");
    for (const json& size : ListOf(entry, "shape"))
      tensor.shape.push_back(size.is_number_integer() ? size.get<int64_t>() : -1);
    for (const json& axis : ListOf(entry, "permutation"))
      tensor.permutation.push_back(axis.is_number_integer() ? axis.get<int64_t>() : -1);
    const json dropped = entry.is_object() ? entry.value("dropped_axis", json()) : json();
    if (dropped.is_number_integer()) tensor.dropped_axis = dropped.get<int64_t>();
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// What the manifest says of the artifact; false if it does not know it.
bool Describe(const Export& found, Side& side) {
  for (const json& model : ListOf(found.manifest, "models")) {
    for (const json& artifact : ListOf(model, "artifacts")) {
      if (TextOf(artifact, "path") != found.inside || !artifact.contains("io_schema")) continue;
      const json& io = artifact["io_schema"];
      if (!io.is_object()) continue;
      side.described = true;
      side.target = TextOf(artifact, "target");
      side.precision = TextOf(artifact, "precision");
      side.io.inputs = ReadInterface(ListOf(io, "inputs"));
      side.io.outputs = ReadInterface(ListOf(io, "outputs"));
      return true;
    }
  }
  return false;
}

// "layers" of the parity.json beside it.
void ReadLayers(const fs::path& folder, Side& side) {
  const absl::StatusOr<std::string> text = ReadFile(folder / "parity.json");
  if (!text.ok()) return;
  const json report = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  for (const json& run : ListOf(report, "runs")) {
    side.layers_known = side.layers_known || !ListOf(run, "layers").empty();
    for (const json& layer : ListOf(run, "layers")) side.layers[TextOf(layer, "name")] = TextOf(layer, "source");
  }
}

std::vector<InterfaceTensor> OwnInterface(const std::vector<TensorSummary>& tensors, Side& side) {
  std::vector<InterfaceTensor> interface;
  for (const TensorSummary& tensor : tensors) {
    InterfaceTensor row{.name = tensor.name, .source = tensor.name, .type = DataTypeFromName(tensor.type)};
    side.ranked[tensor.name] = tensor.shape.has_value();
    for (const std::string& size : tensor.shape.value_or(std::vector<std::string>())) {
      const bool number = !size.empty() && std::ranges::all_of(size, [](char c) { return c >= '0' && c <= '9'; });
      row.shape.push_back(number && size.size() < 18 ? std::stoll(size) : -1);
    }
    interface.push_back(std::move(row));
  }
  return interface;
}

// The gates go by what the weights are held in.
std::string PrecisionOf(const ModelSummary& summary) {
  int64_t all = 0, half = 0, whole = 0;
  for (const auto& [type, weights] : summary.weights) {
    all += weights.elements;
    if (type == "float16" || type == "bfloat16") half += weights.elements;
    if (type == "int8" || type == "uint8" || type == "int4" || type == "uint4") whole += weights.elements;
  }
  if (whole * 2 > all) return "int8";
  return half * 2 > all ? "fp16" : "fp32";
}

bool IsPackage(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path / "Manifest.json", error);
}

}  // namespace

absl::StatusOr<Side> ReadSide(const fs::path& path) {
  Side side{.path = path};
  if (!side.path.has_filename()) side.path = side.path.parent_path();  // "model.mlpackage/"
  ASSIGN_OR_RETURN(const ModelSummary summary, Inspect(side.path));
  if (FindTarget(summary.format) == nullptr)
    return InvalidArgument("{} is of format {}, which no runtime here runs; export it first", path.string(),
                           summary.format);
  side.target = summary.format;
  side.precision = PrecisionOf(summary);
  side.io.inputs = OwnInterface(summary.inputs, side);
  side.io.outputs = OwnInterface(summary.outputs, side);
  for (const NodeSummary& node : summary.nodes) {
    for (const TensorSummary& output : node.outputs) {
      if (!node.inside.empty() || output.name.empty() || side.layers.contains(output.name)) continue;
      side.layers[output.name] = output.name;
      side.layer_order.push_back(output.name);
    }
  }
  side.layers_known = side.target == "onnx";
  if (const std::optional<Export> found = FindExport(side.path); found && Describe(*found, side)) {
    side.layers_known = false;
    for (const auto* tensors : {&side.io.inputs, &side.io.outputs}) {
      for (const InterfaceTensor& tensor : *tensors) side.ranked[tensor.name] = true;
    }
    ReadLayers(side.path.parent_path(), side);
    std::erase_if(side.layers, [&](const auto& layer) {
      return std::ranges::find(side.layer_order, layer.first) == side.layer_order.end();
    });
  }
  return side;
}

absl::StatusOr<std::vector<fs::path>> ExpandVariant(const fs::path& path, const fs::path& baseline) {
  std::error_code error;
  if (!fs::is_directory(path, error) || IsPackage(path)) return std::vector<fs::path>{path};
  const std::optional<Export> found = FindExport(path);
  if (!found) return InvalidArgument("{} is a folder, but neither an .mlpackage nor of an export", path.string());
  const json models = ListOf(found->manifest, "models");
  std::string own;
  if (const std::optional<Export> same = FindExport(baseline); same && same->root == found->root) own = same->inside;
  std::string digest;
  if (fs::is_regular_file(baseline, error)) {
    ASSIGN_OR_RETURN(const auto file, MappedFile::Open(baseline));
    digest = Digest::Of(file->bytes()).Hex();
  }
  const auto belongs = [&](const json& model) {
    for (const json& file : ListOf(model.value("source", json()), "files")) {
      if (TextOf(file, "sha256") == digest) return true;
    }
    return std::ranges::any_of(ListOf(model, "artifacts"),
                               [&](const json& artifact) { return !own.empty() && TextOf(artifact, "path") == own; });
  };
  std::vector<fs::path> every, of_model;
  int count = 0;
  for (const json& model : models) {
    bool any = false;
    for (const json& artifact : ListOf(model, "artifacts")) {
      const std::string inside = TextOf(artifact, "path");
      if (inside.empty() || ListOf(artifact, "files").empty() || inside == own || !IsContainedPath(inside)) continue;
      if (!found->inside.empty() && !inside.starts_with(found->inside + "/")) continue;
      every.push_back(found->root / inside);
      any = true;
      if (belongs(model)) of_model.push_back(found->root / inside);
    }
    count += any ? 1 : 0;
  }
  if (!of_model.empty()) return of_model;
  if (count == 1) return every;
  if (every.empty()) return InvalidArgument("{} holds no artifact to compare with", path.string());
  return InvalidArgument(
      "{} holds artifacts of {} models, none of which was made from {}: name one model's folder in it", path.string(),
      count, baseline.string());
}

}  // namespace slipway::compare
