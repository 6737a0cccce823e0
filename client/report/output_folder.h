// The folder that an export writes: cells appear whole or not at all, the manifest last.
//
// While a run lives, the folder is locked (flock). Downloads go to a staging folder inside it, so that publishing a cell
// is one rename. A run that ends without Publish leaves everything as it was.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace slipway {

// What becomes of a cell's folders.
enum class CellFate {
  kKept,      // passed, unverified: staged files take the real name
  kRejected,  // parity_failed: staged files take <cell>.rejected, nothing stays under the real name
  kGone,      // failed, skipped: neither name stays
  kUntouched  // cancelled: whatever was there stays
};

struct PublishedCell {
  std::string model;
  std::string cell;  // CellName()
  CellFate fate;
};

class OutputFolder {
 public:
  // Makes the folder if absent, locks it, and removes what a killed run left in staging. UNAVAILABLE (machine): another
  // run is writing there.
  static absl::StatusOr<OutputFolder> Open(const std::filesystem::path& path);
  OutputFolder(OutputFolder&& other) noexcept;
  ~OutputFolder();  // removes the staging folder, and the folder itself if this run made it and it is empty

  const std::filesystem::path& path() const { return path_; }
  // "<target>-<precision>"
  static std::string CellName(std::string_view target, std::string_view precision);
  // An empty folder (parents made) to which a cell's files are downloaded.
  absl::StatusOr<std::filesystem::path> Stage(std::string_view model, std::string_view cell);
  // The manifest that stands there; "" if none.
  absl::StatusOr<std::string> EarlierManifest() const;
  // Puts every cell where its fate wants it, the manifest last. All that needs room on the disk is done before anything
  // visible changes: an error of no space leaves everything as it was.
  absl::Status Publish(std::span<const PublishedCell> cells, std::string_view manifest);
  std::filesystem::path manifest_path() const { return path_ / "manifest.json"; }
  const std::filesystem::path& staging() const { return staging_; }
  // Removes the staging folder at once: for leaving without unwinding.
  void DropStaging();

 private:
  OutputFolder(std::filesystem::path path, bool made) : path_(std::move(path)), made_(made) {}
  std::filesystem::path path_;
  bool made_ = false;
  UniqueFd lock_;
  std::filesystem::path staging_;
};

}  // namespace slipway
