// artifacts SEEDS: what the writers make of SEEDS/export/*, as first inputs of the readers' fuzz targets: SEEDS/{tflite,ncnn,coreml}/*.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/targets/convert.h"

namespace {

using namespace slipway;
namespace fs = std::filesystem;

constexpr size_t kLargest = 65536;

std::string Read(const fs::path& path) { return ReadFile(path).value_or(""); }

// As the fuzz targets take it.
std::string Input(std::string_view target, const fs::path& artifact) {
  if (target == "tflite") return Read(artifact);
  if (target == "ncnn") return Read(artifact) + '\0' + Read(fs::path(artifact).replace_extension(".bin"));
  std::string model, weights;
  for (const auto& entry : fs::recursive_directory_iterator(artifact)) {
    if (entry.path().extension() == ".mlmodel") model = Read(entry.path());
    if (entry.path().extension() == ".bin") weights = Read(entry.path());
  }
  const auto length = static_cast<uint32_t>(model.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + model + weights;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path seeds = argv[1];
  const auto scratch = TemporaryFolder::Create("/tmp", "artifacts-");
  if (!scratch.ok()) return 1;
  std::map<std::string, int> made = {{"tflite", 0}, {"ncnn", 0}, {"coreml", 0}};
  for (const auto& [target, count] : made) {
    fs::remove_all(seeds / target);
    fs::create_directory(seeds / target);
  }
  for (const auto& seed : fs::directory_iterator(seeds / "export")) {
    const auto file = MappedFile::Open(seed.path());
    if (!file.ok()) continue;
    Source source;
    source.main = {"model.onnx", *file};
    const auto imported = Import(source);
    if (!imported.ok()) continue;
    for (auto& [target, count] : made) {
      const fs::path folder = scratch->path() / target;
      fs::remove_all(folder);
      fs::create_directory(folder);
      TargetOptions options;
      options.model_name = "model";
      const auto emitted = ConvertTo(*FindTargetByName(target), imported->model.graph->Clone(), options, folder);
      if (!emitted.ok()) continue;
      const std::string input = Input(target, folder / emitted->path);
      if (input.size() > kLargest) continue;
      std::ofstream(seeds / target / seed.path().filename(), std::ios::binary) << input;
      ++count;
    }
  }
  for (const auto& [target, count] : made) std::printf("%s %d\n", target.c_str(), count);
}
