#include "client/report/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/random.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagingPrefix = ".slipway-tmp-";

absl::Status ToStatus(const std::error_code& error, const std::string& what) {
  return error ? ErrnoStatus(error.value(), what) : absl::OkStatus();
}

absl::Status MakeFolders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return ToStatus(error, "make folder " + path.string());
}

absl::Status Remove(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return ToStatus(error, "remove " + path.string());
}

}  // namespace

absl::StatusOr<OutputFolder> OutputFolder::Open(const fs::path& path) {
  std::error_code error;
  const bool made = !fs::exists(path, error);
  if (const absl::Status status = MakeFolders(path); !status.ok()) return Annotate(status, "--out");
  OutputFolder folder(path, made);
  folder.lock_ = UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.lock_.valid()) return ErrnoStatus(errno, "open folder " + path.string());
  if (flock(folder.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    folder.made_ = false;
    if (errno == EWOULDBLOCK)
      return Unavailable("another run is writing to {}: wait for it, or name another --out", path.string());
    return ErrnoStatus(errno, "lock " + path.string());
  }
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(kStagingPrefix)) RETURN_IF_ERROR(Remove(it->path()));
  }
  RETURN_IF_ERROR(ToStatus(error, "read folder " + path.string()));
  folder.staging_ = path / (std::string(kStagingPrefix) + RandomHex(4));
  RETURN_IF_ERROR(MakeFolders(folder.staging_));
  return folder;
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)),
      made_(std::exchange(other.made_, false)),
      lock_(std::move(other.lock_)),
      staging_(std::exchange(other.staging_, {})) {}

OutputFolder::~OutputFolder() {
  DropStaging();
  if (made_) rmdir(path_.c_str());  // only if empty
}

void OutputFolder::DropStaging() {
  if (staging_.empty()) return;
  std::error_code ignored;  // the next run removes what is left
  fs::remove_all(staging_, ignored);
}

std::string OutputFolder::CellName(std::string_view target, std::string_view precision) {
  return fmt::format("{}-{}", target, precision);
}

absl::StatusOr<fs::path> OutputFolder::Stage(std::string_view model, std::string_view cell) {
  const fs::path folder = staging_ / model / cell;
  RETURN_IF_ERROR(Remove(folder));
  RETURN_IF_ERROR(MakeFolders(folder));
  return folder;
}

absl::Status OutputFolder::Publish(std::span<const PublishedCell> cells, std::string_view manifest) {
  const fs::path prepared = staging_ / "manifest.json";
  RETURN_IF_ERROR(WriteFileAtomically(prepared, manifest));
  for (const PublishedCell& cell : cells) {
    if (cell.fate == CellFate::kKept || cell.fate == CellFate::kRejected)
      RETURN_IF_ERROR(MakeFolders(path_ / cell.model));
  }
  for (const PublishedCell& cell : cells) {
    if (cell.fate == CellFate::kUntouched) continue;
    const fs::path staged = staging_ / cell.model / cell.cell;
    const fs::path real = path_ / cell.model / cell.cell;
    const fs::path rejected = path_ / cell.model / (cell.cell + ".rejected");
    if (cell.fate == CellFate::kKept) RETURN_IF_ERROR(ReplaceFolder(staged, real));
    if (cell.fate == CellFate::kRejected) RETURN_IF_ERROR(ReplaceFolder(staged, rejected));
    if (cell.fate != CellFate::kKept) RETURN_IF_ERROR(Remove(real));
    if (cell.fate != CellFate::kRejected) RETURN_IF_ERROR(Remove(rejected));
    if (cell.fate == CellFate::kGone) rmdir(real.parent_path().c_str());  // only if empty
    Failpoint("client.cell_published");
  }
  Failpoint("client.manifest_ready");
  if (rename(prepared.c_str(), manifest_path().c_str()) != 0) {
    return ErrnoStatus(errno, "rename to " + manifest_path().string());
  }
  if (fsync(lock_.get()) != 0) return ErrnoStatus(errno, "sync folder " + path_.string());
  return absl::OkStatus();
}

absl::StatusOr<std::string> OutputFolder::EarlierManifest() const {
  absl::StatusOr<std::string> text = ReadFile(manifest_path());
  if (absl::IsNotFound(text.status())) return std::string();
  return text;
}

}  // namespace slipway
