// What torch.save writes since 1.6: a zip archive of a pickle and the storages.
#include "convert/import/checkpoint/torch_zip.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const fuzz::Input input(data, size);
  const auto zip = ZipReader::Open(input.file()->bytes());
  if (zip.ok()) fuzz::Touch(ReadTorchZip(input.file(), *zip));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return slipway::fuzz::MutateZip(data, size, max_size, seed);
}
