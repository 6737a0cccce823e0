#include "convert/import/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/base/error.h"

namespace slipway {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 16u << 20;
constexpr int kMaxNesting = 3;  // header, tensor, shape

struct Kind {
  std::string_view name;
  DataType type;
};
constexpr std::array kKinds = {
    Kind{"F64", DataType::kFloat64},   Kind{"F32", DataType::kFloat32}, Kind{"F16", DataType::kFloat16},
    Kind{"BF16", DataType::kBFloat16}, Kind{"I64", DataType::kInt64},   Kind{"I32", DataType::kInt32},
    Kind{"I16", DataType::kInt16},     Kind{"I8", DataType::kInt8},     Kind{"U64", DataType::kUInt64},
    Kind{"U32", DataType::kUInt32},    Kind{"U16", DataType::kUInt16},  Kind{"U8", DataType::kUInt8},
    Kind{"BOOL", DataType::kBool},
};

uint64_t HeaderLength(std::span<const std::byte> bytes) {
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof(length));
  return length;
}

// Deeper JSON than the format has is refused before it is parsed.
bool NestsTooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxNesting) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

struct Placed {
  uint64_t begin, end;
  NamedTensor named;
};

bool IsSizes(const Json& list) {
  return list.is_array() && std::ranges::all_of(list, [](const Json& size) {
           return size.is_number_unsigned() && size.get<uint64_t>() <= INT64_MAX;
         });
}

absl::StatusOr<Placed> Place(const std::string& name, const Json& entry, std::span<const std::byte> data,
                             const std::shared_ptr<const MappedFile>& file) {
  const auto damaged = [&] {
    return DataLoss("damaged safetensors header: '{}' has no dtype, shape and data_offsets", name);
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets"))
    return damaged();
  const Json &dtype = entry["dtype"], &sizes = entry["shape"], &offsets = entry["data_offsets"];
  if (!dtype.is_string() || !IsSizes(sizes) || !IsSizes(offsets) || offsets.size() != 2) return damaged();
  const auto kind = std::ranges::find(kKinds, dtype.get_ref<const std::string&>(), &Kind::name);
  if (kind == kKinds.end())
    return Unimplemented("'{}' is of dtype {}", name, dtype.get_ref<const std::string&>().substr(0, 80));
  const auto begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return DataLoss("'{}' claims the bytes {} to {} of {}: the file is truncated or its header damaged", name, begin,
                    end, data.size());
  }
  std::vector<int64_t> shape = sizes.get<std::vector<int64_t>>();
  const int64_t count = ElementCount(shape);
  if (count < 0 || static_cast<uint64_t>(count) > (end - begin) / SizeOf(kind->type) ||
      static_cast<uint64_t>(count) * SizeOf(kind->type) != end - begin) {
    return DataLoss("damaged safetensors header: '{}' is {} of {} in {} bytes", name, ToString(shape), kind->name,
                    end - begin);
  }
  return Placed{begin, end, {name, Tensor(kind->type, std::move(shape), data.subspan(begin, end - begin), file)}};
}

}  // namespace

bool IsSafetensors(std::span<const std::byte> bytes) {
  // Of any file with a believable length, also one that is too large for it: those are refused by a better message.
  return bytes.size() > kLengthBytes && bytes[kLengthBytes] == std::byte{'{'} && HeaderLength(bytes) >> 48 == 0;
}

absl::StatusOr<Checkpoint> ReadSafetensors(const std::shared_ptr<const MappedFile>& file) {
  const std::span<const std::byte> rest = file->bytes().subspan(kLengthBytes);
  const uint64_t length = HeaderLength(file->bytes());
  if (length > rest.size())
    return DataLoss("truncated safetensors: a header of {} bytes in a file of {}", length, file->bytes().size());
  if (length > kMaxHeader)
    return ResourceExhausted("a safetensors header of {} bytes; at most {} are read", length, kMaxHeader);
  const std::string_view text(reinterpret_cast<const char*>(rest.data()), length);
  if (NestsTooDeep(text)) return DataLoss("damaged safetensors header: it nests more than {} deep", kMaxNesting);
  const Json header = Json::parse(text, nullptr, false);
  if (!header.is_object()) return DataLoss("damaged safetensors header: its {} bytes are no JSON object", length);

  std::vector<Placed> placed;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    ASSIGN_OR_RETURN(Placed one, Place(name, entry, rest.subspan(length), file));
    placed.push_back(std::move(one));
  }
  std::ranges::stable_sort(placed, {}, [](const Placed& one) { return std::pair(one.begin, one.end); });
  Checkpoint checkpoint{"safetensors", {}};
  uint64_t at = 0;
  for (Placed& one : placed) {
    if (one.begin != at) {
      return DataLoss("damaged safetensors header: '{}' begins at byte {}, {} byte {}", one.named.name, one.begin,
                      one.begin < at ? "within a tensor that ends at" : "behind a gap from", at);
    }
    at = one.end;
    checkpoint.tensors.push_back(std::move(one.named));
  }
  if (at != rest.size() - length)
    return DataLoss("damaged safetensors: {} bytes behind the last tensor", rest.size() - length - at);
  return checkpoint;
}

}  // namespace slipway
