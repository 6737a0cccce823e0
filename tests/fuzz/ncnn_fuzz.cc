// An NCNN model of anyone: its .param up to the first NUL, then its .bin.
#include <cstring>

#include "convert/inspect/formats.h"
#include "convert/targets/ncnn/reader/reader.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const void* end = std::memchr(data, 0, size);
  const size_t text = end == nullptr ? size : static_cast<size_t>(static_cast<const uint8_t*>(end) - data);
  const fuzz::Input param(data, text);
  fuzz::Write(fuzz::Scratch() / "model.bin", std::span(data, size).subspan(text == size ? size : text + 1));
  (void)inspect::InspectNcnn(fuzz::Scratch() / "model.param", param.file());
  return 0;
}
