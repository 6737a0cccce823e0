// Digests as messages carry them: any message with `sha256` (64 lower-case hex digits) and `bytes`.
#pragma once

#include "absl/status/statusor.h"
#include "common/base/digest.h"

namespace slipway {

template <typename DigestMessage>
DigestMessage ToDigestMessage(const Digest& digest) {
  DigestMessage message;
  message.set_sha256(digest.Hex());
  message.set_bytes(digest.bytes);
  return message;
}

template <typename DigestMessage>
absl::StatusOr<Digest> FromDigestMessage(const DigestMessage& message) {
  return Digest::Parse(message.sha256() + "/" + std::to_string(message.bytes()));
}

}  // namespace slipway
