// The worker's scratch space: one folder a worker, one below it for each child and host; all removed at the end,
// whoever ends.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace slipway {

// <parent>/slipway-worker-<random>/ beside its lock file <…>.lock, which is held for as long as the worker lives. A
// worker that was killed leaves both; whoever starts next in the same parent sees that nobody holds the lock and
// removes them.
class WorkerScratch {
 public:
  // Makes `parent` if absent and removes what dead workers left there.
  static absl::StatusOr<WorkerScratch> Create(const std::filesystem::path& parent);
  WorkerScratch(WorkerScratch&& other) noexcept;
  WorkerScratch& operator=(WorkerScratch&&) = delete;
  ~WorkerScratch();  // Remove()

  const std::filesystem::path& path() const { return path_; }
  // A new folder of mode 0700 whose name cannot be guessed: hosts may open files by name, but not list the folder
  // above. Where somebody removed the worker's own folder, it is made again.
  absl::StatusOr<std::filesystem::path> NewFolder(std::string_view prefix) const;
  // Again what dead workers left: one that was killed in the instant in which this one was made still held its lock.
  void RemoveLeftovers() const;
  // Once; whoever still asks for a folder meanwhile or later gets an error.
  void Remove();

 private:
  WorkerScratch(std::filesystem::path path, std::filesystem::path lock_path, UniqueFd lock)
      : path_(std::move(path)), lock_path_(std::move(lock_path)), lock_(std::move(lock)) {}

  std::filesystem::path path_, lock_path_;
  mutable std::mutex mutex_;
  UniqueFd lock_;  // under mutex_
};

// Removes all that a folder holds. UNAVAILABLE or RESOURCE_EXHAUSTED: do not use the folder again.
absl::Status EmptyFolder(const std::filesystem::path& folder);

// Stderr of a process as memory of bounded size: nothing it prints reaches the disk or the worker's own log unasked.
class Errors {
 public:
  static absl::StatusOr<Errors> Create();
  int fd() const { return memory_.get(); }
  // The last line printed, made printable; empty if there is none.
  std::string LastLine() const;
  void Clear();

 private:
  explicit Errors(UniqueFd memory) : memory_(std::move(memory)) {}
  UniqueFd memory_;
};

}  // namespace slipway
