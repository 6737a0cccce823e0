// Strict reading of JSON objects: every field by name and type, unknown ones refused, errors that say where.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/digest.h"
#include "common/base/error.h"

namespace slipway {

// Reads one object's fields. The first error sticks and later reads return defaults, so that a struct is read straight
// down and checked once, by Finish(). `where` is the object's path in messages ("models[2]").
class Fields {
 public:
  Fields(const nlohmann::json& object, std::string where);

  bool Has(const char* key);  // present and not null
  std::string String(const char* key);
  bool Bool(const char* key);
  double Number(const char* key);
  template <typename T>
  T Integer(const char* key, T least = std::numeric_limits<T>::min(), T most = std::numeric_limits<T>::max());
  Digest BlobDigest(const char* key);
  const nlohmann::json& Array(const char* key);
  const nlohmann::json& Object(const char* key);

  // For values that are well-formed but wrong.
  void Fail(std::string_view key, std::string_view problem);
  void Adopt(const absl::Status& status);  // an error found deeper
  std::string Where(std::string_view key) const;
  std::string Where(std::string_view key, size_t index) const { return Where(fmt::format("{}[{}]", key, index)); }

  // The first error; else INVALID_ARGUMENT if the object holds a field that nobody read.
  absl::Status Finish();

 private:
  const nlohmann::json* Find(const char* key, std::string_view type);

  const nlohmann::json& object_;
  std::string where_;
  std::set<std::string> read_;
  absl::Status status_;
};

template <typename T>
T Fields::Integer(const char* key, T least, T most) {
  const nlohmann::json* value = Find(key, "an integer");
  if (value == nullptr) return T{};
  if (!value->is_number_integer()) {
    Fail(key, "must be an integer");
    return T{};
  }
  bool fits = value->is_number_unsigned()
                  ? std::in_range<T>(value->get<uint64_t>()) && std::cmp_greater_equal(value->get<uint64_t>(), least) &&
                        std::cmp_less_equal(value->get<uint64_t>(), most)
                  : std::in_range<T>(value->get<int64_t>()) && std::cmp_greater_equal(value->get<int64_t>(), least) &&
                        std::cmp_less_equal(value->get<int64_t>(), most);
  if (!fits) {
    Fail(key, fmt::format("must be within {} and {}", least, most));
    return T{};
  }
  return value->get<T>();
}

// Parses text that must be one JSON object whose "schema" is `schema`, "slipway.request/1". INVALID_ARGUMENT;
// FAILED_PRECONDITION when it is another version of that.
absl::StatusOr<nlohmann::json> ParseDocument(std::string_view text, std::string_view schema);

// Compact, sorted keys, invalid UTF-8 replaced.
std::string Dump(const nlohmann::json& json);

}  // namespace slipway
