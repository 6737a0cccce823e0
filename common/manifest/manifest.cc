#include "common/manifest/manifest.h"

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/base/error.h"

namespace slipway {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "slipway.manifest/1";

// Fields that only the farm knows, in the contract's order: copied from its entry, null without one.
constexpr std::array kModelFields = {"reference", "io_schema"};
constexpr std::array kAfterFiles = {"quantization", "macs_by_type", "requires", "statistics", "io_schema", "parity"};
constexpr std::array kAfterParity = {
    "precisions_tried",    "accuracy_delta_l_inf", "accuracy_delta_rmse", "ane_op_coverage_pct",
    "expected_speedup_m1", "expected_speedup_m2",  "expected_speedup_m3", "cache_hit"};
constexpr std::array kAfterWorker = {"jail", "build", "timings_ms"};

absl::StatusOr<Json> ParseObject(std::string_view text, std::string_view what) {
  if (text.empty()) return Json::object();
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Internal("{} is no JSON object", what);
  return object;
}

std::string TextOf(const Json& object, const char* name, const std::string& otherwise = "") {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : otherwise;
}

Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json FileList(const std::vector<ManifestFile>& files, const std::string& folder) {
  Json list = Json::array();
  for (const ManifestFile& file : files) {
    const bool known = file.digest != Digest{};
    list.push_back({{"path", folder.empty() ? file.path : folder + "/" + file.path},
                    {"bytes", known ? Json(file.digest.bytes) : Json(nullptr)},
                    {"sha256", known ? Json(file.digest.Hex()) : Json(nullptr)}});
  }
  return list;
}

template <size_t N>
void CopyFields(const Json& entry, const std::array<const char*, N>& names, Json& out) {
  for (const char* name : names) out[name] = entry.contains(name) ? entry[name] : Json(nullptr);
}

// Whatever else the farm said, after the fields that are always there.
void CopyOthers(const Json& entry, Json& out) {
  for (const auto& [name, value] : entry.items()) {
    if (!out.contains(name)) out[name] = value;
  }
}

absl::StatusOr<Json> ArtifactJson(const ManifestArtifact& artifact) {
  ASSIGN_OR_RETURN(const Json entry, ParseObject(artifact.entry, "the entry of an artifact"));
  Json out;
  out["target"] = artifact.target;
  out["precision"] = TextOf(entry, "precision", artifact.precision);
  out["backend"] = entry.contains("backend") ? entry["backend"] : TextOrNull(artifact.backend);
  out["status"] = artifact.status;
  out["reason"] = artifact.status == "passed" ? Json(nullptr) : TextOrNull(OneLine(artifact.reason));
  const bool kept = !artifact.folder.empty() && !TextOf(entry, "path").empty();
  out["path"] = kept ? Json(artifact.folder + "/" + TextOf(entry, "path")) : Json(nullptr);
  out["files"] = kept ? FileList(artifact.files, artifact.folder) : Json::array();
  CopyFields(entry, kAfterFiles, out);
  out["requested_precision"] = artifact.precision;
  CopyFields(entry, kAfterParity, out);
  out["attempts"] = artifact.attempts > 0 ? Json(artifact.attempts) : Json(nullptr);
  out["worker"] = TextOrNull(artifact.worker);
  CopyFields(entry, kAfterWorker, out);
  out["reproduce"] = artifact.reproduce;
  CopyOthers(entry, out);
  return out;
}

absl::StatusOr<Json> ModelJson(const ManifestModel& model) {
  ASSIGN_OR_RETURN(const Json entry, ParseObject(model.entry, "the entry of a model"));
  Json out;
  out["model"] = model.name;
  Json source;
  source["kind"] = model.kind;
  source["architecture"] = TextOrNull(model.architecture);
  source["files"] = FileList(model.sources, "");
  source["opset"] = nullptr;
  if (entry.contains("source") && entry["source"].is_object()) {
    for (const auto& [name, value] : entry["source"].items()) {
      if (!source.contains(name) || source[name].is_null()) source[name] = value;
    }
  }
  out["source"] = std::move(source);
  CopyFields(entry, kModelFields, out);
  out["artifacts"] = Json::array();
  for (const ManifestArtifact& artifact : model.artifacts) {
    ASSIGN_OR_RETURN(Json json, ArtifactJson(artifact));
    out["artifacts"].push_back(std::move(json));
  }
  CopyOthers(entry, out);
  return out;
}

std::string CellKey(const Json& artifact) {
  return TextOf(artifact, "target") + "-" + TextOf(artifact, "requested_precision");
}

// Appends to `model` those of the earlier artifacts whose cell it lacks.
void KeepEarlier(const Json& earlier_artifacts, const Json& earlier_request, Json& model) {
  std::set<std::string> ours;
  for (const Json& artifact : model["artifacts"]) ours.insert(CellKey(artifact));
  for (const Json& artifact : earlier_artifacts) {
    if (!artifact.is_object() || !ours.insert(CellKey(artifact)).second) continue;
    Json kept = artifact;
    if (!kept.contains("from")) kept["from"] = earlier_request;
    model["artifacts"].push_back(std::move(kept));
  }
}

absl::Status Merge(std::string_view earlier_text, Json& models) {
  const Json earlier = Json::parse(earlier_text, nullptr, /*allow_exceptions=*/false);
  if (!earlier.is_object() || TextOf(earlier, "schema") != kSchema || !earlier.contains("models") ||
      !earlier["models"].is_array()) {
    return InvalidArgument("the manifest that stands there is none of schema {}", kSchema);
  }
  const Json request = earlier.contains("request_id") ? earlier["request_id"] : Json(nullptr);
  for (const Json& old_model : earlier["models"]) {
    if (!old_model.is_object() || !old_model.contains("model") || !old_model.contains("artifacts")) continue;
    Json* ours = nullptr;
    for (Json& model : models) {
      if (model["model"] == old_model["model"]) ours = &model;
    }
    if (ours == nullptr) {
      Json kept = old_model;
      kept["artifacts"] = Json::array();
      models.push_back(std::move(kept));
      ours = &models.back();
    }
    KeepEarlier(old_model["artifacts"], request, *ours);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Manifest::ToJson(std::string_view earlier) const {
  Json out;
  out["schema"] = kSchema;
  out["slipway_version"] = version;
  out["request_id"] = TextOrNull(request_id);
  out["created"] = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", created, absl::UTCTimeZone());
  out["reproduce"] = reproduce;
  Json list = Json::array();
  for (const ManifestModel& model : models) {
    ASSIGN_OR_RETURN(Json json, ModelJson(model));
    list.push_back(std::move(json));
  }
  if (!earlier.empty()) RETURN_IF_ERROR(Merge(earlier, list));
  out["models"] = std::move(list);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  const size_t first = line.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return line.substr(first, line.find_last_not_of(' ') - first + 1);
}

}  // namespace slipway
