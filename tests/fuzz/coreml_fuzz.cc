// A Core ML package of anyone: four bytes that say how long its specification is, the specification, its weights.
#include <algorithm>
#include <cstring>

#include "convert/inspect/summary.h"
#include "convert/targets/coreml/reader/reader.h"
#include "tests/fuzz/input.h"

namespace {

constexpr std::string_view kManifest = R"({"fileFormatVersion": "1.0.0", "rootModelIdentifier": "m",
  "itemInfoEntries": {"m": {"path": "com.apple.CoreML/model.mlmodel"}}})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  uint32_t length = 0;
  if (size < sizeof length) return 0;
  std::memcpy(&length, data, sizeof length);
  const std::span<const uint8_t> rest = std::span(data, size).subspan(sizeof length);
  const size_t model = std::min<size_t>(length, rest.size());
  const std::filesystem::path package = fuzz::Scratch() / "model.mlpackage";
  const std::filesystem::path inner = package / "Data" / "com.apple.CoreML";
  std::filesystem::create_directories(inner / "weights");
  fuzz::Write(package / "Manifest.json", {reinterpret_cast<const uint8_t*>(kManifest.data()), kManifest.size()});
  fuzz::Write(inner / "model.mlmodel", rest.first(model));
  fuzz::Write(inner / "weights" / "weight.bin", rest.subspan(model));
  (void)Inspect(package);
  (void)ReadMlpackage(package);
  return 0;
}
