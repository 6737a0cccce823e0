// The header of one NumPy array.
#include "convert/import/checkpoint/npy.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const fuzz::Input input(data, size);
  const auto bytes = input.file()->bytes();
  (void)NpyHeaderBytes(bytes.first(std::min(bytes.size(), kNpyPreambleBytes)));
  (void)ReadNpyHeader(bytes);
  return 0;
}
