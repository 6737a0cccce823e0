#include "convert/import/checkpoint/npy.h"

#include <charconv>
#include <cstring>
#include <string_view>

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeader = 1 << 20;
constexpr size_t kMaxRank = 64;  // NumPy's own

// The header is a Python dictionary of three keys: 'descr' (a text, or a list for a structured array), 'fortran_order'
// and 'shape' (a tuple).
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  absl::StatusOr<NpyHeader> Read() {
    NpyHeader header;
    int seen = 0;
    RETURN_IF_ERROR(Expect('{'));
    while (!Accept('}')) {
      ASSIGN_OR_RETURN(const std::string key, Text());
      RETURN_IF_ERROR(Expect(':'));
      if (key == "descr" && !(seen & 1)) {
        seen |= 1;
        RETURN_IF_ERROR(Descr(header));
      } else if (key == "fortran_order" && !(seen & 2)) {
        seen |= 2;
        ASSIGN_OR_RETURN(header.fortran_order, Bool());
      } else if (key == "shape" && !(seen & 4)) {
        seen |= 4;
        RETURN_IF_ERROR(Sizes(header.shape));
      } else {
        return Damaged();
      }
      if (!Accept(',') && Peek() != '}') return Damaged();
    }
    if (seen != 7 || Peek() != '\0') return Damaged();
    return header;
  }

 private:
  absl::Status Damaged() const { return DataLoss("damaged .npy header at its byte {}", at_); }
  char Peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Accept(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  absl::Status Expect(char c) { return Accept(c) ? absl::OkStatus() : Damaged(); }
  absl::StatusOr<std::string> Text() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Damaged();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return Damaged();
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  absl::Status Descr(NpyHeader& header) {
    if (Peek() != '[') {
      ASSIGN_OR_RETURN(header.descr, Text());
      return absl::OkStatus();
    }
    header.structured = true;
    const size_t begin = at_;
    int depth = 0;
    do {
      const char c = Peek();
      if (c == '\0') return Damaged();
      if (c == '\'' || c == '"') {
        RETURN_IF_ERROR(Text().status());
        continue;
      }
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      ++at_;
    } while (depth > 0);
    header.descr = text_.substr(begin, at_ - begin);
    return absl::OkStatus();
  }
  absl::StatusOr<bool> Bool() {
    Peek();
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {std::string_view("False"), false}}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    return Damaged();
  }
  absl::Status Sizes(std::vector<int64_t>& sizes) {
    RETURN_IF_ERROR(Expect('('));
    while (!Accept(')')) {
      Peek();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || sizes.size() == kMaxRank) return Damaged();
      at_ = static_cast<size_t>(end - text_.data());
      Accept('L');  // Python 2's long
      sizes.push_back(size);
      if (!Accept(',') && Peek() != ')') return Damaged();
    }
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<size_t> NpyHeaderBytes(std::span<const std::byte> begin) {
  if (begin.size() < kMagic.size() + 4 || std::memcmp(begin.data(), kMagic.data(), kMagic.size()) != 0)
    return DataLoss("no .npy array: it does not begin with NumPy's mark");
  const auto at = [&](size_t i) { return static_cast<size_t>(begin[i]); };
  const size_t version = at(6);
  if (version < 1 || version > 3) return Unimplemented(".npy of version {}, 1 to 3 are known", version);
  const size_t field = version == 1 ? 2 : 4;
  if (begin.size() < 8 + field) return DataLoss("truncated .npy header");
  size_t length = 0;
  for (size_t i = 0; i < field; ++i) length |= at(8 + i) << (8 * i);
  if (length > kMaxHeader) return DataLoss("damaged .npy header: it claims {} bytes", length);
  return 8 + field + length;
}

absl::StatusOr<NpyHeader> ReadNpyHeader(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const size_t size, NpyHeaderBytes(bytes.first(std::min(bytes.size(), kNpyPreambleBytes))));
  if (size > bytes.size()) return DataLoss("truncated .npy header: it has {} bytes of {}", bytes.size(), size);
  const size_t begin = bytes[6] == std::byte{1} ? 10 : 12;
  ASSIGN_OR_RETURN(NpyHeader header,
                   HeaderText({reinterpret_cast<const char*>(bytes.data()) + begin, size - begin}).Read());
  header.data_offset = size;
  return header;
}

}  // namespace slipway
