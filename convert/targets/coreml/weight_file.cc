#include "convert/targets/coreml/weight_file.h"

#include <array>
#include <cstring>

#include "common/base/error.h"
#include "common/base/output_file.h"

namespace slipway::coreml_writer {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint32_t kSentinel = 0xDEADBEEF;
constexpr uint32_t kVersion = 2;
constexpr uint32_t kFloat32Code = 2;

using Record = std::array<std::byte, kAlignment>;

template <typename T>
void Put(Record& record, size_t at, T value) {
  std::memcpy(record.data() + at, &value, sizeof value);
}

uint64_t Aligned(uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

uint64_t WeightFile::Add(const Tensor& tensor) {
  const Digest digest = Digest::Of(tensor.bytes());
  const auto [entry, fresh] = offsets_.emplace(digest, Aligned(end_));
  if (fresh) {
    blobs_.push_back({entry->second, tensor});
    end_ = entry->second + kAlignment + tensor.bytes().size();
  }
  return entry->second;
}

absl::Status WeightFile::Write(const std::filesystem::path& path) const {
  static constexpr Record kZeros{};
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  Record header{};
  Put(header, 0, static_cast<uint32_t>(blobs_.size()));
  Put(header, 4, kVersion);
  RETURN_IF_ERROR(file.Write(header));
  for (const Blob& blob : blobs_) {
    RETURN_IF_ERROR(file.Write(std::span(kZeros).first(blob.offset - file.size())));
    Record metadata{};
    Put(metadata, 0, kSentinel);
    Put(metadata, 4, kFloat32Code);
    Put(metadata, 8, static_cast<uint64_t>(blob.tensor.bytes().size()));
    Put(metadata, 16, blob.offset + kAlignment);
    RETURN_IF_ERROR(file.Write(metadata));
    RETURN_IF_ERROR(file.Write(blob.tensor.bytes()));
  }
  return file.Close();
}

}  // namespace slipway::coreml_writer
