// SHA-256 digests: the names of blobs.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace slipway {

// A blob's name: SHA-256 of its bytes, and how many they are.
struct Digest {
  std::array<uint8_t, 32> sha256{};
  uint64_t bytes = 0;

  std::string Hex() const;       // 64 lower-case hex digits
  std::string ToString() const;  // "<hex>/<bytes>"
  // INVALID_ARGUMENT unless exactly the form of ToString().
  static absl::StatusOr<Digest> Parse(std::string_view text);
  static Digest Of(std::span<const std::byte> data);
  static Digest Of(std::string_view data);

  auto operator<=>(const Digest&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Digest& d) {
    return H::combine(std::move(h), d.sha256, d.bytes);
  }
};

// Incremental SHA-256 (OpenSSL). Not thread-safe.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  void Update(std::span<const std::byte> data);
  Digest Finish();  // resets

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Digest of all of an open file, read from offset 0 by pread; its position is unchanged.
absl::StatusOr<Digest> DigestOfFile(int fd);

}  // namespace slipway
