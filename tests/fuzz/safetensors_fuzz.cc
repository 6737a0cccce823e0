// A length, a JSON header, the tensors' bytes.
#include "convert/import/checkpoint/safetensors.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const fuzz::Input input(data, size);
  if (IsSafetensors(input.file()->bytes())) fuzz::Touch(ReadSafetensors(input.file()));
  return 0;
}
