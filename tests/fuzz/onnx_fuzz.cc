// An ONNX file through all that an import does: wire format, graph, shapes, folding and fusion.
#include <cstdlib>

#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const fuzz::Input input(data, size);
  (void)ExternalDataFiles(input.file()->bytes());
  Source source;
  source.main = {"model.onnx", input.file()};
  source.external["w"] = {"w", input.file()};  // external data: of the file itself
  const absl::StatusOr<Imported> imported = Import(source);
  if (imported.ok() && !imported->model.graph->Validate().ok()) std::abort();
  return 0;
}
