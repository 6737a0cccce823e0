// Randomness: seeded and portable for samples (the same on every machine), from the kernel for names and tokens.
#pragma once

#include <cstdint>
#include <string>

namespace slipway {

// SplitMix64 (Steele, Lea, Flood 2014): a full-period 64-bit generator; results do not depend on the standard library.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // [0, 1)
  double Normal();                                                            // mean 0, variance 1 (Box–Muller)

 private:
  uint64_t state_;
};

// `bytes` random bytes from getrandom(2), as lower-case hex.
std::string RandomHex(int bytes);

}  // namespace slipway
