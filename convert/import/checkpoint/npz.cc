#include "convert/import/checkpoint/npz.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "common/base/error.h"
#include "convert/import/checkpoint/npy.h"

namespace slipway {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr uint64_t kDeflateRatio = 1032;  // the most that deflate can say in a byte (zlib.net/zlib_tech.html)
constexpr uint64_t kUnpackedShare = 64, kUnpackedAtLeast = 256u << 20;
constexpr uint16_t kDeflated = 8;

struct Kind {
  std::string_view descr;  // without byte order
  DataType type;
};
constexpr std::array kKinds = {
    Kind{"f8", DataType::kFloat64}, Kind{"f4", DataType::kFloat32}, Kind{"f2", DataType::kFloat16},
    Kind{"i8", DataType::kInt64},   Kind{"i4", DataType::kInt32},   Kind{"i2", DataType::kInt16},
    Kind{"i1", DataType::kInt8},    Kind{"u8", DataType::kUInt64},  Kind{"u4", DataType::kUInt32},
    Kind{"u2", DataType::kUInt16},  Kind{"u1", DataType::kUInt8},   Kind{"b1", DataType::kBool},
};

// The type that a header says; nothing for texts and dates.
absl::StatusOr<std::optional<DataType>> TypeOf(const NpyHeader& header) {
  const std::string_view descr = header.descr;
  if (header.structured) return Unimplemented("a structured array ({})", descr.substr(0, 80));
  if (descr.size() < 2) return DataLoss("damaged .npy header: no such type as '{}'", descr);
  const char order = descr[0], kind = descr[1];
  if (kind == 'O') return InvalidArgument("an array of Python objects: a pickle, which is refused and not run");
  if (kind == 'U' || kind == 'S' || kind == 'M' || kind == 'm') return std::nullopt;
  const auto found = std::ranges::find(kKinds, descr.substr(1), &Kind::descr);
  if (found == kKinds.end()) {
    return Unimplemented("an array of type '{}'{}", descr.substr(0, 80), kind == 'c' ? ": complex numbers" : "");
  }
  if (order == '>' && SizeOf(found->type) > 1)
    return Unimplemented("a big-endian array ('{}'); save it as little-endian", descr);
  return found->type;
}

// Inflates the first `size` bytes of a deflate stream; all of it when `size` is the entry's size.
absl::Status Inflate(std::span<const std::byte> packed, std::span<std::byte> unpacked) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return ResourceExhausted("no memory to inflate");
  size_t in = 0, out = 0;
  int result = Z_OK;
  constexpr size_t kStep = 1u << 30;  // z_stream counts in 32 bits
  while (result == Z_OK && out < unpacked.size()) {
    const size_t give = std::min(packed.size() - in, kStep), take = std::min(unpacked.size() - out, kStep);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + in));
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + out);
    stream.avail_out = static_cast<uInt>(take);
    result = inflate(&stream, Z_NO_FLUSH);
    in += give - stream.avail_in;
    out += take - stream.avail_out;
  }
  inflateEnd(&stream);
  if (out < unpacked.size()) {
    return DataLoss("damaged: its {} deflated bytes give {} of the {} bytes that the archive promises", packed.size(),
                    out, unpacked.size());
  }
  return absl::OkStatus();
}

class Reader {
 public:
  Reader(const std::shared_ptr<const MappedFile>& file, const ZipReader& zip)
      : file_(file), zip_(zip), budget_(file->bytes().size() * kUnpackedShare + kUnpackedAtLeast) {}

  // Nothing for an array that is of no interest.
  absl::StatusOr<std::optional<Tensor>> Array(const std::string& name, const ZipEntry& entry) {
    ASSIGN_OR_RETURN(const std::span<const std::byte> stored, zip_.ReadRaw(name));
    const bool deflated = entry.method == kDeflated;
    // The header first: nothing as large as the array is made before they agree.
    std::vector<std::byte> begin;
    if (deflated && entry.bytes / kDeflateRatio > stored.size())
      return DataLoss("{} bytes cannot be deflated to {}", entry.bytes, stored.size());
    ASSIGN_OR_RETURN(const size_t header_bytes, HeaderBytes(stored, deflated, entry.bytes));
    if (deflated) {
      begin.resize(header_bytes);
      RETURN_IF_ERROR(Inflate(stored, begin));
    }
    ASSIGN_OR_RETURN(const NpyHeader header, ReadNpyHeader(deflated ? std::span<const std::byte>(begin) : stored));
    ASSIGN_OR_RETURN(const std::optional<DataType> type, TypeOf(header));
    if (!type) return std::nullopt;
    const int64_t count = ElementCount(header.shape);
    const uint64_t data = entry.bytes - header.data_offset;
    if (count < 0 || static_cast<uint64_t>(count) > data / SizeOf(*type) ||
        static_cast<uint64_t>(count) * SizeOf(*type) != data) {
      return DataLoss("its header says {} of {}, but {} bytes follow", ToString(header.shape), Name(*type), data);
    }
    std::vector<int64_t> shape = header.shape;
    if (header.fortran_order) std::ranges::reverse(shape);
    ASSIGN_OR_RETURN(Tensor tensor, Data(stored, deflated, entry, header.data_offset, *type, std::move(shape)));
    if (header.fortran_order && tensor.rank() > 1) {
      RETURN_IF_ERROR(Spend(data));
      std::vector<int64_t> order(static_cast<size_t>(tensor.rank()));
      std::iota(order.rbegin(), order.rend(), 0);
      return Transpose(tensor, order);
    }
    return tensor;
  }

 private:
  absl::Status Spend(uint64_t bytes) {
    if (bytes > budget_) return ResourceExhausted("the archive unpacks to more than {} times its size", kUnpackedShare);
    budget_ -= bytes;
    return absl::OkStatus();
  }
  absl::StatusOr<size_t> HeaderBytes(std::span<const std::byte> stored, bool deflated, uint64_t all) {
    std::vector<std::byte> begin(std::min<uint64_t>(all, kNpyPreambleBytes));
    if (deflated) RETURN_IF_ERROR(Inflate(stored, begin));
    ASSIGN_OR_RETURN(const size_t bytes, NpyHeaderBytes(deflated ? begin : stored.first(begin.size())));
    if (bytes > all) return DataLoss("truncated: an array of {} bytes with a header of {}", all, bytes);
    return bytes;
  }
  absl::StatusOr<Tensor> Data(std::span<const std::byte> stored, bool deflated, const ZipEntry& entry, size_t offset,
                              DataType type, std::vector<int64_t> shape) {
    std::span<const std::byte> whole = stored;
    std::shared_ptr<const void> owner = file_;
    if (deflated) {
      RETURN_IF_ERROR(Spend(entry.bytes));
      auto unpacked = std::make_shared<std::vector<std::byte>>(entry.bytes);
      RETURN_IF_ERROR(Inflate(stored, *unpacked));
      whole = *unpacked;
      owner = std::move(unpacked);
    }
    if (crc32_z(0, reinterpret_cast<const Bytef*>(whole.data()), whole.size()) != entry.crc32)
      return DataLoss("damaged: its checksum is wrong");
    return Tensor(type, std::move(shape), whole.subspan(offset), std::move(owner));
  }

  const std::shared_ptr<const MappedFile>& file_;
  const ZipReader& zip_;
  uint64_t budget_;
};

}  // namespace

bool IsNpz(const ZipReader& zip) {
  return std::ranges::any_of(zip.entries(), [](const auto& entry) { return entry.first.ends_with(kSuffix); });
}

absl::StatusOr<Checkpoint> ReadNpz(const std::shared_ptr<const MappedFile>& file, const ZipReader& zip) {
  Checkpoint checkpoint{"npz", {}};
  Reader reader(file, zip);
  std::vector<std::pair<uint64_t, const std::string*>> order;
  for (const auto& [name, entry] : zip.entries()) {
    if (name.ends_with(kSuffix)) order.emplace_back(entry.header_offset, &name);
  }
  std::ranges::sort(order);
  for (const auto& [offset, name] : order) {
    absl::StatusOr<std::optional<Tensor>> tensor = reader.Array(*name, zip.entries().find(*name)->second);
    if (!tensor.ok()) return Annotate(tensor.status(), fmt::format("'{}' in the archive", *name));
    if (!tensor->has_value()) continue;
    checkpoint.tensors.push_back({name->substr(0, name->size() - kSuffix.size()), **std::move(tensor)});
  }
  return checkpoint;
}

}  // namespace slipway
