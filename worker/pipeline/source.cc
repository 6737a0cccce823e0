#include "worker/pipeline/source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr std::pair<std::string_view, Source::Kind> kKinds[] = {
    {"onnx", Source::Kind::kOnnx}, {"checkpoint", Source::Kind::kCheckpoint}, {"dummy", Source::Kind::kDummy}};

absl::Status WriteBytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoStatus(errno, fmt::format("create {}", path.filename().string()));
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, fmt::format("write {}", path.filename().string()));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Source> SourceOf(const TaskInputs& inputs) {
  Source source;
  const SpecModel& model = inputs.model;
  bool known = false;
  for (const auto& [name, kind] : kKinds) {
    if (name != model.kind) continue;
    source.kind = kind;
    known = true;
  }
  if (!known) return InvalidArgument("model '{}': there is no kind of source '{}'", model.name, model.kind);
  source.architecture = model.architecture;
  source.interface = inputs.options.interface;
  source.seed = inputs.options.seed;
  source.classes = inputs.options.num_classes;
  source.input_size = inputs.options.input_size;
  for (const SpecFile& file : model.files) {
    const auto blob = inputs.blobs.find(file.digest.ToString());
    if (blob == inputs.blobs.end()) return Internal("the file {} was not handed over", file.path);
    if (file.name.empty()) {
      source.main = {file.path, blob->second};
    } else {
      source.external[file.name] = {file.path, blob->second};
    }
  }
  if (source.main.file == nullptr && source.kind != Source::Kind::kDummy)
    return InvalidArgument("model '{}' has no file", model.name);
  return source;
}

absl::StatusOr<std::filesystem::path> LayOutOnnx(const Source& source, const std::filesystem::path& folder) {
  std::error_code error;
  std::string name = "source.onnx";
  while (source.external.contains(name)) name.insert(0, "_");
  std::filesystem::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), "make a folder for the source");
  RETURN_IF_ERROR(WriteBytes(folder / name, source.main.file->bytes()));
  for (const auto& [relative, file] : source.external) {
    if (!IsContainedPath(relative)) return InvalidArgument("external data '{}' leaves the model's folder", relative);
    std::filesystem::create_directories((folder / relative).parent_path(), error);
    if (error) return ErrnoStatus(error.value(), "make a folder for external data");
    RETURN_IF_ERROR(WriteBytes(folder / relative, file.file->bytes()));
  }
  return folder / name;
}

}  // namespace slipway
