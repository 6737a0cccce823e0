// A TFLite file of anyone.
#include "convert/inspect/formats.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const slipway::fuzz::Input input(data, size);
  (void)slipway::inspect::InspectTflite("model.tflite", input.file());
  return 0;
}
