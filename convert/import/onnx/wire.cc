#include "convert/import/onnx/wire.h"

namespace slipway::onnx_import {

bool WireReader::Fail(const char* what) {
  failure_ = what;
  rest_ = {};
  return false;
}

absl::Status WireReader::status() const {
  if (failure_ == nullptr) return absl::OkStatus();
  return DataLoss("not a readable ONNX model: {}; the file is truncated, damaged or of another format", failure_);
}

bool WireReader::ReadVarint(std::span<const std::byte>& from, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < 10 && i < from.size(); ++i) {
    const auto byte = static_cast<uint64_t>(from[i]);
    value |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      from = from.subspan(i + 1);
      return true;
    }
  }
  return Fail("a number runs past the end of its message");
}

bool WireReader::Next() {
  if (rest_.empty() || failure_ != nullptr) return false;
  uint64_t tag = 0;
  if (!ReadVarint(rest_, tag)) return false;
  field_ = static_cast<int>(tag >> 3);
  type_ = static_cast<uint32_t>(tag & 7);
  if (field_ == 0 || (tag >> 3) > 0x1fffffff) return Fail("a field has no number");
  payload_ = {};
  scalar_ = 0;
  switch (type_) {
    case kVarint:
      return ReadVarint(rest_, scalar_);
    case kFixed64:
    case kFixed32: {
      const size_t size = type_ == kFixed64 ? 8 : 4;
      if (rest_.size() < size) return Fail("a number runs past the end of its message");
      payload_ = rest_.first(size);
      std::memcpy(&scalar_, payload_.data(), size);
      rest_ = rest_.subspan(size);
      return true;
    }
    case kLengthDelimited: {
      uint64_t length = 0;
      if (!ReadVarint(rest_, length)) return false;
      if (length > rest_.size()) return Fail("a field claims more bytes than the file has");
      payload_ = rest_.first(length);
      rest_ = rest_.subspan(length);
      return true;
    }
    default:
      return Fail("a field of an unknown kind");
  }
}

std::span<const std::byte> WireReader::Bytes() {
  if (type_ != kLengthDelimited) Fail("a field has another type than ONNX gives it");
  return payload_;
}

std::string_view WireReader::String() {
  const auto bytes = Bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int64_t WireReader::Int() {
  if (type_ != kVarint) Fail("a field has another type than ONNX gives it");
  return static_cast<int64_t>(scalar_);
}

float WireReader::Float() {
  if (type_ != kFixed32) Fail("a field has another type than ONNX gives it");
  float value = 0;
  std::memcpy(&value, &scalar_, sizeof value);
  return value;
}

std::span<const std::byte> WireReader::FixedBytes() {
  if (type_ == kVarint) Fail("a field has another type than ONNX gives it");
  return payload_;
}

void WireReader::AppendInts(std::vector<int64_t>& values) {
  if (type_ == kVarint) {
    values.push_back(static_cast<int64_t>(scalar_));
    return;
  }
  std::span<const std::byte> packed = Bytes();
  uint64_t value = 0;
  while (!packed.empty() && ReadVarint(packed, value)) values.push_back(static_cast<int64_t>(value));
}

void WireReader::AppendFloats(std::vector<float>& values) {
  if (type_ == kFixed32) {
    values.push_back(Float());
    return;
  }
  const std::span<const std::byte> packed = Bytes();
  if (packed.size() % sizeof(float) != 0) {
    Fail("a list of floats ends inside one");
    return;
  }
  const size_t old_size = values.size();
  values.resize(old_size + packed.size() / sizeof(float));
  if (!packed.empty()) std::memcpy(values.data() + old_size, packed.data(), packed.size());
}

}  // namespace slipway::onnx_import
