#include "convert/import/onnx/tensor_load.h"

#include <sys/mman.h>

#include <cerrno>
#include <charconv>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/onnx_form/onnx.pb.h"

namespace slipway::onnx_import {
namespace {

// Types of ONNX that the dialect lacks.
struct TypeRow {
  int code;
  std::string_view name;
};
constexpr TypeRow kUnknownTypes[] = {
    {onnx::TensorProto::COMPLEX64, "complex64"},
    {onnx::TensorProto::COMPLEX128, "complex128"},
    {onnx::TensorProto::FLOAT8E4M3FN, "float8e4m3fn"},
    {onnx::TensorProto::FLOAT8E4M3FNUZ, "float8e4m3fnuz"},
    {onnx::TensorProto::FLOAT8E5M2, "float8e5m2"},
    {onnx::TensorProto::FLOAT8E5M2FNUZ, "float8e5m2fnuz"},
    {onnx::TensorProto::UINT4, "uint4"},
    {onnx::TensorProto::INT4, "int4"},
    {onnx::TensorProto::FLOAT4E2M1, "float4e2m1"},
    {onnx::TensorProto::FLOAT8E8M0, "float8e8m0"},
    {onnx::TensorProto::UINT2, "uint2"},
    {onnx::TensorProto::INT2, "int2"},
};

// Number of elements; -1 when a size is negative or the product does not fit.
int64_t CheckedCount(const std::vector<int64_t>& dims) {
  int64_t count = 1;
  for (int64_t dim : dims) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) return -1;
  }
  return count;
}

absl::StatusOr<int64_t> ParseExtent(const TensorView& view, std::string_view key, int64_t fallback) {
  const auto found = view.external_data.find(key);
  if (found == view.external_data.end()) return fallback;
  const std::string_view text = found->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return InvalidArgument("tensor '{}': external data has {} '{}', which is no size", view.name, key, text);
  }
  return value;
}

absl::StatusOr<Tensor> LoadExternal(const TensorView& view, DataType type, int64_t bytes, const Source& source) {
  const auto location = view.external_data.find("location");
  if (location == view.external_data.end())
    return InvalidArgument("tensor '{}': external data without a location", view.name);
  if (!IsContainedPath(location->second)) {
    return InvalidArgument(
        "tensor '{}': external data file '{}' is outside the model's folder; put it beside the model", view.name,
        location->second);
  }
  const auto file = source.external.find(std::string(location->second));
  if (file == source.external.end() || file->second.file == nullptr) {
    return InvalidArgument(
        "tensor '{}': external data file '{}' is missing, or a link out of the folder; put it beside the model",
        view.name, location->second);
  }
  ASSIGN_OR_RETURN(const int64_t offset, ParseExtent(view, "offset", 0));
  ASSIGN_OR_RETURN(const int64_t length, ParseExtent(view, "length", bytes));
  const auto content = file->second.file->bytes();
  const auto size = static_cast<int64_t>(content.size());
  if (length != bytes) {
    return InvalidArgument("tensor '{}': its shape {} needs {} bytes, but its external data says length {}", view.name,
                           ToString(view.dims), bytes, length);
  }
  if (offset > size || length > size - offset) {
    return DataLoss(
        "tensor '{}': bytes {}..{} of '{}' are needed, but the file has {}; it is truncated or of another model",
        view.name, offset, offset + length, location->second, size);
  }
  return Tensor(type, view.dims, content.subspan(offset, length), file->second.file);
}

template <typename T>
Tensor Narrow(const TensorView& view, DataType type) {
  auto [tensor, bytes] = Tensor::Allocate(type, view.dims);
  for (size_t i = 0; i < view.varints.size(); ++i) {
    const auto value = static_cast<T>(view.varints[i]);
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return tensor;
}

absl::Status WrongSize(const TensorView& view, std::string_view what, int64_t have, int64_t need) {
  return DataLoss("tensor '{}': its shape {} needs {} {}, but the file holds {}; the model is damaged", view.name,
                  ToString(view.dims), need, what, have);
}

Tensor FromVarints(const TensorView& view, DataType type) {
  switch (SizeOf(type)) {
    case 1: {
      if (type != DataType::kBool) return Narrow<uint8_t>(view, type);
      TensorView as_flags = view;
      for (int64_t& value : as_flags.varints) value = value != 0;
      return Narrow<uint8_t>(as_flags, type);
    }
    case 2:
      return Narrow<uint16_t>(view, type);
    case 4:
      return Narrow<uint32_t>(view, type);
    default:
      return Narrow<uint64_t>(view, type);
  }
}

}  // namespace

std::string OnnxTypeName(int64_t code) {
  for (const TypeRow& row : kUnknownTypes) {
    if (row.code == code) return std::string(row.name);
  }
  const DataType type = ElementTypeOfCode(code);
  return type == DataType::kUndefined ? fmt::format("element type {}", code) : std::string(Name(type));
}

absl::StatusOr<Tensor> BlankTensor(const TensorView& view) {
  const DataType type = ElementTypeOfCode(view.data_type);
  // Whole numbers are read as shapes and axes: those are small.
  const int64_t kMost = int64_t{1} << (IsFloat(type) ? 33 : 26);
  const int64_t count = CheckedCount(view.dims);
  const auto size = static_cast<int64_t>(SizeOf(type));
  if (size == 0 || type == DataType::kString || count < 0 || count > kMost / size)
    return InvalidArgument("tensor '{}' cannot be made up", view.name);
  if (count == 0) return Tensor::Allocate(type, view.dims).first;
  const auto bytes = static_cast<size_t>(count * size);
  void* pages = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) return ErrnoStatus(errno, "reserve memory");
  return Tensor(type, view.dims, {static_cast<const std::byte*>(pages), bytes},
                std::shared_ptr<const void>(pages, [bytes](const void* p) { munmap(const_cast<void*>(p), bytes); }));
}

absl::StatusOr<Tensor> LoadTensor(const TensorView& view, const Source& source) {
  const DataType type = ElementTypeOfCode(view.data_type);
  if (type == DataType::kUndefined) {
    return Unimplemented("tensor '{}' is of {}, which no target has; export the model with float32 weights", view.name,
                         OnnxTypeName(view.data_type));
  }
  if (view.segmented)
    return Unimplemented("tensor '{}' is stored in segments; save the model with whole tensors", view.name);
  const int64_t count = CheckedCount(view.dims);
  int64_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(std::max<size_t>(SizeOf(type), 1)), &bytes)) {
    return InvalidArgument("tensor '{}': shape {} is negative or overflows; the model is damaged", view.name,
                           ToString(view.dims));
  }
  if (type == DataType::kString) {
    if (view.external || static_cast<int64_t>(view.strings.size()) != count) {
      return WrongSize(view, "strings", static_cast<int64_t>(view.strings.size()), count);
    }
    return Tensor::Strings(view.dims, std::vector<std::string>(view.strings.begin(), view.strings.end()));
  }
  if (view.external) return LoadExternal(view, type, bytes, source);
  if (view.raw && (!view.raw->empty() || count == 0)) {
    if (static_cast<int64_t>(view.raw->size()) != bytes) {
      return WrongSize(view, "bytes", static_cast<int64_t>(view.raw->size()), bytes);
    }
    return Tensor(type, view.dims, *view.raw, source.main.file);
  }
  if (type == DataType::kFloat32 || type == DataType::kFloat64) {
    int64_t have = 0;
    for (const auto& piece : view.fixed) have += static_cast<int64_t>(piece.size());
    if (have != bytes) return WrongSize(view, "bytes", have, bytes);
    if (view.fixed.size() == 1) return Tensor(type, view.dims, view.fixed.front(), source.main.file);
    auto [tensor, to] = Tensor::Allocate(type, view.dims);
    size_t at = 0;
    for (const auto& piece : view.fixed) {
      if (!piece.empty()) std::memcpy(to.data() + at, piece.data(), piece.size());
      at += piece.size();
    }
    return tensor;
  }
  if (static_cast<int64_t>(view.varints.size()) != count) {
    return WrongSize(view, "elements", static_cast<int64_t>(view.varints.size()), count);
  }
  return FromVarints(view, type);
}

absl::StatusOr<Tensor> LoadSparseTensor(const SparseTensorView& view, const Source& source) {
  constexpr int64_t kMaxDenseBytes = int64_t{1} << 31;
  ASSIGN_OR_RETURN(const Tensor values, LoadTensor(view.values, source));
  ASSIGN_OR_RETURN(const Tensor indices, LoadTensor(view.indices, source));
  const std::string_view name = view.values.name;
  const int64_t count = CheckedCount(view.dims);
  const auto element = static_cast<int64_t>(SizeOf(values.type()));
  if (count < 0 || element == 0 || count > kMaxDenseBytes / element) {
    return InvalidArgument("sparse tensor '{}': shape {} is negative or too large to be stored densely", name,
                           ToString(view.dims));
  }
  const auto rank = static_cast<int64_t>(view.dims.size());
  const bool linear = indices.rank() == 1;
  if (indices.type() != DataType::kInt64 || indices.size() != values.size() * (linear ? 1 : rank)) {
    return InvalidArgument("sparse tensor '{}': {} values do not go with {} indices", name, values.size(),
                           indices.size());
  }
  auto [dense, bytes] = Tensor::Allocate(values.type(), view.dims);
  for (int64_t i = 0; i < values.size(); ++i) {
    int64_t at = 0;
    for (int64_t d = 0; d < (linear ? 1 : rank); ++d) {
      const int64_t index = indices.At<int64_t>(linear ? i : i * rank + d);
      const int64_t limit = linear ? count : view.dims[d];
      if (index < 0 || index >= limit)
        return InvalidArgument("sparse tensor '{}': index {} is outside its shape", name, index);
      at = linear ? index : at * limit + index;
    }
    std::memcpy(bytes.data() + at * element, values.bytes().data() + i * element, element);
  }
  return dense;
}

}  // namespace slipway::onnx_import
