// Protobuf's wire format, read in place: no message objects, no copies. (developers.google.com/protocol-buffers/docs/encoding)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/error.h"

namespace slipway::onnx_import {

// Reads one message's fields in order. Views point into the message's bytes.
//   while (reader.Next()) switch (reader.field()) { case kName: name = reader.String(); … }
//   RETURN_IF_ERROR(reader.status());
// A value of another wire type than the accessor expects makes status() an error (accessors then give zeros).
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> message) : rest_(message) {}

  // Advances to the next field; false at the end or on malformed bytes (see status()).
  bool Next();
  int field() const { return field_; }

  std::span<const std::byte> Bytes();
  std::string_view String();
  int64_t Int();
  float Float();
  // One element (unpacked) or a run of them (packed), appended.
  void AppendInts(std::vector<int64_t>& values);
  void AppendFloats(std::vector<float>& values);
  // The raw little-endian bytes of a run of fixed-size numbers, or of one.
  std::span<const std::byte> FixedBytes();

  // DATA_LOSS: truncated or malformed.
  absl::Status status() const;

 private:
  enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };
  bool ReadVarint(std::span<const std::byte>& from, uint64_t& value);
  bool Fail(const char* what);

  std::span<const std::byte> rest_;
  std::span<const std::byte> payload_;
  uint64_t scalar_ = 0;
  int field_ = 0;
  uint32_t type_ = kVarint;
  const char* failure_ = nullptr;
};

}  // namespace slipway::onnx_import
