#include "convert/targets/coreml/reader/package.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/error.h"

namespace slipway::coreml_reader {
namespace {

using nlohmann::json;

const json* Member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

absl::StatusOr<std::filesystem::path> RootModelPath(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "Manifest.json";
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const json manifest = json::parse(text, nullptr, false);
  if (manifest.is_discarded()) return DataLoss("{} is no JSON", path.string());
  const json* version = Member(manifest, "fileFormatVersion");
  if (version == nullptr || *version != "1.0.0")
    return InvalidArgument("{}: fileFormatVersion is not 1.0.0", path.string());
  const json* root = Member(manifest, "rootModelIdentifier");
  const json* items = Member(manifest, "itemInfoEntries");
  const json* item = root != nullptr && root->is_string() && items != nullptr
                         ? Member(*items, root->get<std::string>().c_str())
                         : nullptr;
  const json* relative = item == nullptr ? nullptr : Member(*item, "path");
  if (relative == nullptr || !relative->is_string()) {
    return InvalidArgument("{}: rootModelIdentifier names no item with a path", path.string());
  }
  for (const auto& [identifier, entry] : items->items()) {
    const json* entry_path = Member(entry, "path");
    if (entry_path == nullptr || !entry_path->is_string() || !IsContainedPath(entry_path->get<std::string>())) {
      return InvalidArgument("{}: item {} has no path inside the package", path.string(), identifier);
    }
    if (!std::filesystem::exists(folder / "Data" / entry_path->get<std::string>())) {
      return DataLoss("{}: item {} is not there: {}", path.string(), identifier, entry_path->get<std::string>());
    }
  }
  return folder / "Data" / relative->get<std::string>();
}

}  // namespace

absl::StatusOr<Package> OpenPackage(const std::filesystem::path& folder) {
  ASSIGN_OR_RETURN(const std::filesystem::path model_path, RootModelPath(folder));
  ASSIGN_OR_RETURN(auto file, MappedFile::Open(model_path));
  Package package;
  const auto bytes = file->bytes();
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !package.model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return DataLoss("{} is no Core ML model", model_path.string());
  }
  const std::filesystem::path weights = model_path.parent_path() / "weights" / "weight.bin";
  if (std::filesystem::exists(weights)) {
    ASSIGN_OR_RETURN(package.weights, MappedFile::Open(weights));
  }
  return package;
}

}  // namespace slipway::coreml_reader
