// An ONNX file through all that an export does with it but running it: import, each target's legalization, checks and writer,
// and what reads the written files back.
#include <cstdlib>
#include <iostream>

#include "convert/import/import.h"
#include "convert/inspect/summary.h"
#include "convert/targets/convert.h"
#include "convert/targets/coreml/reader/reader.h"
#include "tests/fuzz/input.h"

namespace {

using namespace slipway;

// INTERNAL: a graph that a pass left in disorder, or a writer's broken promise.
void Fail(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << '\n';
  std::abort();
}

void Convert(const Target& target, const Graph& graph) {
  const std::filesystem::path folder = fuzz::Scratch() / target.name();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  TargetOptions options;
  options.model_name = "model";
  std::unique_ptr<Graph> legalized;
  const absl::StatusOr<Emitted> emitted = ConvertTo(target, graph.Clone(), options, folder, &legalized);
  if (!emitted.ok()) {
    if (absl::IsInternal(emitted.status())) Fail(emitted.status());
    return;
  }
  Fail(legalized->Validate());
  (void)Inspect(folder / emitted->path);
  if (target.name() == "coreml") (void)ReadMlpackage(folder / emitted->path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Input input(data, size);
  Source source;
  source.main = {"model.onnx", input.file()};
  source.external["w"] = {"w", input.file()};
  const absl::StatusOr<Imported> imported = Import(source);
  // What folding has blown up costs time in every file and shows nothing new.
  if (!imported.ok() || imported->model.graph->folded_bytes > (int64_t{8} << 20)) return 0;
  for (const char* target : {"onnx", "tflite", "coreml", "ncnn"}) {
    Convert(*FindTargetByName(target), *imported->model.graph);
  }
  return 0;
}
