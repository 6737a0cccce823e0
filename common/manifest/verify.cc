#include "common/manifest/verify.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string TextOf(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// What is wrong with one file; "" if nothing.
std::string CheckFile(const fs::path& path, uint64_t bytes, const std::string& sha256) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno == ENOENT ? "missing" : Message(ErrnoStatus(errno, "cannot be opened"));
  struct stat info;
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return "is no regular file";
  if (static_cast<uint64_t>(info.st_size) != bytes) {
    return fmt::format("has {} bytes, the manifest says {}", info.st_size, bytes);
  }
  const absl::StatusOr<Digest> digest = DigestOfFile(fd.get());
  if (!digest.ok()) return Message(digest.status());
  if (digest->Hex() != sha256) return fmt::format("has SHA-256 {}, the manifest says {}", digest->Hex(), sha256);
  return "";
}

class Verifier {
 public:
  explicit Verifier(const fs::path& root) : root_(root) {}

  void Artifact(const std::string& model, const json& artifact) {
    const std::string cell = TextOf(artifact, "target") + "-" + TextOf(artifact, "requested_precision");
    if (!IsContainedPath(model) || !IsContainedPath(cell)) return Problem(model + "/" + cell, "is no folder name");
    for (const char* suffix : {"", ".rejected"}) {
      const fs::path folder = fs::path(model) / (cell + suffix);
      if (TextOf(artifact, "status") == "cancelled") {
        skipped_.insert(folder);
      } else {
        folders_.insert(folder);
      }
    }
    const json files = artifact.value("files", json::array());
    if (!files.is_array() || files.empty()) return;
    ++report_.artifacts;
    for (const json& file : files) File(file);
  }

  VerifyReport Finish() {
    for (const fs::path& folder : folders_) {
      if (!skipped_.contains(folder)) CheckExtra(folder);
    }
    std::sort(report_.problems.begin(), report_.problems.end());
    return std::move(report_);
  }

  void Problem(const std::string& path, const std::string& what) { report_.problems.push_back(path + ": " + what); }

 private:
  void File(const json& file) {
    if (!file.is_object()) return Problem("manifest.json", "lists a file that is no object");
    const std::string path = TextOf(file, "path");
    const auto bytes = file.find("bytes");
    if (!IsContainedPath(path)) return Problem(path, "leads out of the folder");
    if (bytes == file.end() || !bytes->is_number_unsigned()) return Problem(path, "has no size in the manifest");
    listed_.insert(fs::path(path).lexically_normal());
    const std::string wrong = CheckFile(root_ / path, bytes->get<uint64_t>(), TextOf(file, "sha256"));
    if (!wrong.empty()) return Problem(path, wrong);
    ++report_.files;
    report_.bytes += bytes->get<uint64_t>();
  }

  void CheckExtra(const fs::path& folder) {
    std::error_code error;
    fs::recursive_directory_iterator it(root_ / folder, error), end;
    for (; !error && it != end; it.increment(error)) {
      if (it->is_directory() && !it->is_symlink()) continue;
      const fs::path relative = it->path().lexically_relative(root_);
      if (relative == folder / "parity.json" || listed_.contains(relative)) continue;
      Problem(relative.generic_string(), "is not in the manifest");
    }
  }

  fs::path root_;
  std::set<fs::path> listed_, folders_, skipped_;
  VerifyReport report_;
};

}  // namespace

absl::StatusOr<VerifyReport> VerifyFolder(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const json manifest = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object() || TextOf(manifest, "schema") != "slipway.manifest/1" || !manifest.contains("models") ||
      !manifest["models"].is_array()) {
    return DataLoss("{} is no manifest of schema slipway.manifest/1", path.string());
  }
  Verifier verifier(folder);
  for (const json& model : manifest["models"]) {
    if (!model.is_object() || !model.contains("artifacts") || !model["artifacts"].is_array()) {
      verifier.Problem("manifest.json", "lists a model without artifacts");
      continue;
    }
    for (const json& artifact : model["artifacts"]) {
      if (artifact.is_object()) verifier.Artifact(TextOf(model, "model"), artifact);
    }
  }
  return verifier.Finish();
}

}  // namespace slipway
