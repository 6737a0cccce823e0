// What torch.save wrote before 1.6: a stream of pickles with the storages behind them. And by ReadCheckpoint, which also
// reads pickles that are none of torch's, to say what they name.
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  if (size >= 2 && data[0] == 'P' && data[1] == 'K') return -1;  // the other targets' archives
  const fuzz::Input input(data, size);
  fuzz::Touch(ReadCheckpoint(input.file()));
  return 0;
}
