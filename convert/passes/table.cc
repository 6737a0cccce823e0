#include "convert/passes/table.h"

namespace slipway {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 25;

}  // namespace

bool IsTableSize(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) {
    if (size < 0 || (size > 0 && elements > kMostElements / size)) return false;
    elements *= size;
  }
  return true;
}

}  // namespace slipway
