#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "convert/inspect/formats.h"

namespace slipway {
namespace inspect {

void AddWeight(ModelSummary& summary, const std::string& type, int64_t elements, int64_t bits) {
  WeightSummary& row = summary.weights[type];
  ++row.tensors;
  // Saturates: a file that lies about sizes only spoils its own figures.
  if (__builtin_add_overflow(row.elements, elements, &row.elements)) row.elements = INT64_MAX;
  const auto bytes = static_cast<int64_t>((static_cast<__int128>(elements) * bits + 7) / 8);
  if (__builtin_add_overflow(row.bytes, bytes, &row.bytes)) row.bytes = INT64_MAX;
}

absl::StatusOr<int64_t> Elements(std::string_view name, const std::vector<int64_t>& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count) || count > INT64_MAX / 16) {
      return DataLoss("tensor '{}' claims an impossible shape", name);
    }
  }
  return count;
}

std::vector<std::string> Texts(const std::vector<int64_t>& sizes) {
  std::vector<std::string> texts;
  texts.reserve(sizes.size());
  for (const int64_t size : sizes) texts.push_back(size < 0 ? "?" : std::to_string(size));
  return texts;
}

namespace {

bool StartsWith(const File& file, std::string_view magic, size_t offset = 0) {
  const auto bytes = file->bytes();
  return bytes.size() >= offset + magic.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()) + offset, magic.size()) == magic;
}

// Safetensors: a 64-bit length, then JSON.
bool IsSafetensors(const File& file) {
  return StartsWith(file, "{", 8) && StartsWith(file, std::string_view("\0\0\0", 3), 5);
}

absl::StatusOr<ModelSummary> InspectFile(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const File file, MappedFile::Open(path));
  if (StartsWith(file, "TFL3", 4)) return InspectTflite(path, file);
  if (StartsWith(file, "7767517")) return InspectNcnn(path, file);
  const std::string extension = path.extension().string();
  if (StartsWith(file, "PK") || StartsWith(file, "\x80") || IsSafetensors(file) || extension == ".pt" ||
      extension == ".pth" || extension == ".npz" || extension == ".safetensors") {
    return InspectCheckpoint(path, file);
  }
  if (extension == ".mlmodel") return InspectMlmodel(path, file);
  if (extension == ".tflite") return DataLoss("no TFLite model: its identifier TFL3 is missing");
  if (extension == ".param") return DataLoss("no NCNN model: it does not begin with 7767517");
  if (extension == ".bin") return InvalidArgument("weights without their model: name the .param beside it");
  return InspectOnnx(path, file);
}

bool IsModel(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 5> kEndings = {".onnx", ".tflite", ".mlpackage", ".mlmodel", ".param"};
  return std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
}

// The only model that stands in a folder: of a cell's folder of an export, say.
absl::StatusOr<std::filesystem::path> OnlyModelIn(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> models;
  std::string names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (IsModel(entry.path())) models.push_back(entry.path());
  }
  if (models.size() == 1) return models[0];
  std::ranges::sort(models);
  for (const auto& model : models) names += (names.empty() ? ": " : ", ") + model.filename().string();
  if (models.empty())
    return InvalidArgument("{} is a folder, but no .mlpackage: it holds no Manifest.json, and no model stands in it",
                           folder.string());
  return InvalidArgument("{} is a folder of {} models, name one{}", folder.string(), models.size(), names);
}

}  // namespace
}  // namespace inspect

std::map<std::string, int64_t> ModelSummary::Operators() const {
  std::map<std::string, int64_t> operators;
  for (const NodeSummary& node : nodes) ++operators[node.op];
  return operators;
}

absl::StatusOr<ModelSummary> Inspect(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return NotFound("{}: no such file", path.string());
  if (!std::filesystem::is_directory(status) && !std::filesystem::is_regular_file(status))
    return InvalidArgument("{} is no file", path.string());
  absl::StatusOr<ModelSummary> summary;
  if (std::filesystem::is_directory(status)) {
    if (!std::filesystem::exists(path / "Manifest.json", error)) {
      ASSIGN_OR_RETURN(const std::filesystem::path model, inspect::OnlyModelIn(path));
      return Inspect(model);
    }
    summary = inspect::InspectMlpackage(path);
  } else {
    summary = inspect::InspectFile(path);
  }
  if (!summary.ok() && Message(summary.status()).find(path.string()) == std::string::npos)
    return Annotate(summary.status(), path.string());
  return summary;
}

}  // namespace slipway
