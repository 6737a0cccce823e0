#include "common/base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

namespace slipway {

double Random::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * Uniform());
}

std::string RandomHex(int bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (int left = bytes; left > 0;) {
    unsigned char buffer[64];
    const ssize_t n = getrandom(buffer, static_cast<size_t>(std::min(left, 64)), 0);
    if (n < 0) continue;  // EINTR: the only error for a valid buffer
    for (ssize_t i = 0; i < n; ++i) {
      hex += kDigits[buffer[i] >> 4];
      hex += kDigits[buffer[i] & 15];
    }
    left -= static_cast<int>(n);
  }
  return hex;
}

}  // namespace slipway
