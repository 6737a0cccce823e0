// NumPy's archives of arrays.
#include "convert/import/checkpoint/npz.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const fuzz::Input input(data, size);
  const auto zip = ZipReader::Open(input.file()->bytes());
  if (zip.ok()) fuzz::Touch(ReadNpz(input.file(), *zip));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return slipway::fuzz::MutateZip(data, size, max_size, seed);
}
