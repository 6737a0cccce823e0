#include "common/task/fields.h"

#include <cmath>

namespace slipway {

using nlohmann::json;

Fields::Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object_.is_object()) status_ = InvalidArgument("{} must be an object", where_);
}

const json* Fields::Find(const char* key, std::string_view type) {
  read_.insert(key);
  if (!status_.ok()) return nullptr;
  auto found = object_.find(key);
  if (found == object_.end()) {
    status_ = InvalidArgument("{} is missing ({})", Where(key), type);
    return nullptr;
  }
  return &*found;
}

bool Fields::Has(const char* key) {
  read_.insert(key);
  if (!status_.ok()) return false;
  auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

std::string Fields::String(const char* key) {
  const json* value = Find(key, "a string");
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  Fail(key, "must be a string");
  return "";
}

bool Fields::Bool(const char* key) {
  const json* value = Find(key, "a boolean");
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  Fail(key, "must be true or false");
  return false;
}

double Fields::Number(const char* key) {
  const json* value = Find(key, "a number");
  if (value == nullptr) return 0;
  if (value->is_number() && std::isfinite(value->get<double>())) return value->get<double>();
  Fail(key, "must be a finite number");
  return 0;
}

Digest Fields::BlobDigest(const char* key) {
  std::string text = String(key);
  if (!status_.ok()) return {};
  absl::StatusOr<Digest> digest = Digest::Parse(text);
  if (digest.ok()) return *digest;
  Fail(key, "must be a digest, \"<64 hex digits>/<bytes>\"");
  return {};
}

const json& Fields::Array(const char* key) {
  static const json empty = json::array();
  const json* value = Find(key, "an array");
  if (value == nullptr) return empty;
  if (value->is_array()) return *value;
  Fail(key, "must be an array");
  return empty;
}

const json& Fields::Object(const char* key) {
  static const json empty = json::object();
  const json* value = Find(key, "an object");
  if (value == nullptr) return empty;
  if (value->is_object()) return *value;
  Fail(key, "must be an object");
  return empty;
}

void Fields::Fail(std::string_view key, std::string_view problem) {
  if (status_.ok()) status_ = InvalidArgument("{} {}", Where(key), problem);
}

void Fields::Adopt(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

std::string Fields::Where(std::string_view key) const {
  return where_.empty() ? std::string(key) : fmt::format("{}.{}", where_, key);
}

absl::Status Fields::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (!read_.contains(key)) return InvalidArgument("{} is not a known field", Where(key));
  }
  return absl::OkStatus();
}

namespace {

// Writing JSON back recurses once a level, so hostile nesting must not get that far.
constexpr int kMaxDepth = 64;

bool TooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && (c == '[' || c == '{') && ++depth > kMaxDepth)
      return true;
    else if (!quoted && (c == ']' || c == '}'))
      --depth;
  }
  return false;
}

}  // namespace

absl::StatusOr<json> ParseDocument(std::string_view text, std::string_view schema) {
  if (TooDeep(text)) return InvalidArgument("not a \"{}\" document: nested deeper than {} levels", schema, kMaxDepth);
  json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return InvalidArgument("not a \"{}\" document: malformed JSON", schema);
  if (!document.is_object()) return InvalidArgument("not a \"{}\" document: the JSON is no object", schema);
  auto found = document.find("schema");
  if (found == document.end() || !found->is_string())
    return InvalidArgument("schema is missing (\"{}\" expected)", schema);
  const std::string& written = found->get_ref<const std::string&>();
  if (written == schema) return document;
  const std::string_view family = schema.substr(0, schema.rfind('/') + 1);
  if (!written.starts_with(family)) return InvalidArgument("schema is \"{}\", \"{}\" expected", written, schema);
  return FailedPrecondition("it is of \"{}\", this build knows \"{}\": it is for workers of another version",
                            written.substr(0, 64), schema);
}

std::string Dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace slipway
