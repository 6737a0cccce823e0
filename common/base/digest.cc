#include "common/base/digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <vector>

#include "common/base/error.h"

namespace slipway {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Digest::Hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex(64, '0');
  for (size_t i = 0; i < sha256.size(); ++i) {
    hex[2 * i] = kDigits[sha256[i] >> 4];
    hex[2 * i + 1] = kDigits[sha256[i] & 15];
  }
  return hex;
}

std::string Digest::ToString() const { return fmt::format("{}/{}", Hex(), bytes); }

absl::StatusOr<Digest> Digest::Parse(std::string_view text) {
  Digest digest;
  auto malformed = [&] {
    return InvalidArgument("'{}' is not a digest: expected 64 lower-case hex digits, '/', and the size in bytes",
                           text.substr(0, 100));
  };
  if (text.size() < 66 || text[64] != '/') return malformed();
  for (size_t i = 0; i < 32; ++i) {
    const int high = HexValue(text[2 * i]), low = HexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return malformed();
    digest.sha256[i] = static_cast<uint8_t>(high * 16 + low);
  }
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data() + 65, end, digest.bytes);
  const bool leading_zero = text[65] == '0' && text.size() > 66;
  if (error != std::errc() || stop != end || leading_zero) return malformed();
  return digest;
}

Digest Digest::Of(std::span<const std::byte> data) {
  Hasher hasher;
  hasher.Update(data);
  return hasher.Finish();
}

Digest Digest::Of(std::string_view data) { return Of(std::as_bytes(std::span(data.data(), data.size()))); }

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  uint64_t bytes = 0;
  State() { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;

void Hasher::Update(std::span<const std::byte> data) {
  EVP_DigestUpdate(state_->context, data.data(), data.size());
  state_->bytes += data.size();
}

Digest Hasher::Finish() {
  Digest digest;
  digest.bytes = state_->bytes;
  unsigned int length = 0;
  EVP_DigestFinal_ex(state_->context, digest.sha256.data(), &length);
  EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
  state_->bytes = 0;
  return digest;
}

absl::StatusOr<Digest> DigestOfFile(int fd) {
  Hasher hasher;
  std::vector<std::byte> buffer(1 << 18);
  off_t offset = 0;
  for (;;) {
    const ssize_t n = pread(fd, buffer.data(), buffer.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "read while hashing");
    if (n == 0) return hasher.Finish();
    hasher.Update(std::span(buffer).first(static_cast<size_t>(n)));
    offset += n;
  }
}

}  // namespace slipway
