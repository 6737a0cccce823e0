// What writers of every kind of store have in common: they take no more bytes than the digest says and publish them only if
// they hash to it.
#pragma once

#include <cstdint>

#include "common/store/store.h"

namespace slipway {

class HashingWriter : public BlobWriter {
 public:
  absl::Status Write(std::span<const std::byte> data) final;
  absl::Status Commit() final;

 protected:
  explicit HashingWriter(const Digest& digest) : digest_(digest) {}
  const Digest& digest() const { return digest_; }

 private:
  virtual absl::Status Append(std::span<const std::byte> data) = 0;
  virtual absl::Status Publish() = 0;  // once, of all bytes
  virtual void Abandon() = 0;          // after the first error: nothing of it is published

  const Digest digest_;
  Hasher hasher_;
  uint64_t received_ = 0;
  absl::Status failure_;  // the first error sticks: a blob with a hole must not be committed
};

}  // namespace slipway
