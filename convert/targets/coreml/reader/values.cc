#include "convert/targets/coreml/reader/values.h"

#include <algorithm>

#include "common/base/error.h"

namespace slipway::coreml_reader {
namespace {

namespace mil = coreml::mil;

struct TypeRow {
  mil::DataType mil;
  DataType type;
  uint32_t blob;  // weight.bin's number for it; 0: never in weight.bin
};

constexpr TypeRow kTypes[] = {
    {mil::BOOL, DataType::kBool, 0},       {mil::STRING, DataType::kString, 0},  {mil::FLOAT16, DataType::kFloat16, 1},
    {mil::FLOAT32, DataType::kFloat32, 2}, {mil::INT8, DataType::kInt8, 4},      {mil::INT16, DataType::kInt16, 6},
    {mil::INT32, DataType::kInt32, 14},    {mil::INT64, DataType::kInt64, 0},    {mil::UINT8, DataType::kUInt8, 3},
    {mil::UINT16, DataType::kUInt16, 7},   {mil::UINT32, DataType::kUInt32, 15},
};

constexpr std::string_view kWeightFile = "@model_path/weights/weight.bin";
constexpr uint64_t kAlignment = 64;
constexpr uint32_t kSentinel = 0xDEADBEEF;

template <typename T>
T ReadLittleEndian(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// Values of a repeated field as a tensor of `type`, each narrowed from the field's own type and checked to survive it.
template <typename To, typename Field>
absl::StatusOr<Tensor> Narrowed(std::vector<int64_t> shape, const Field& field) {
  std::vector<To> values;
  values.reserve(field.size());
  for (const auto value : field) {
    values.push_back(static_cast<To>(value));
    if (static_cast<std::decay_t<decltype(value)>>(values.back()) != value) {
      return InvalidArgument("an immediate value {} is out of its type's range", value);
    }
  }
  return Tensor::From<To>(std::move(shape), values);
}

absl::StatusOr<Tensor> Immediate(const mil::TensorValue& value, DataType type, std::vector<int64_t> shape,
                                 int64_t count) {
  const auto check = [&](int64_t given) -> absl::Status {
    if (given == count) return absl::OkStatus();
    return InvalidArgument("an immediate value holds {} elements where its type says {}", given, count);
  };
  switch (value.value_case()) {
    case mil::TensorValue::kFloats: {
      const auto& floats = value.floats().values();
      RETURN_IF_ERROR(check(floats.size()));
      if (type == DataType::kFloat32) {
        return Tensor::From<float>(std::move(shape), std::vector<float>(floats.begin(), floats.end()));
      }
      break;
    }
    case mil::TensorValue::kInts: {
      const auto& ints = value.ints().values();
      RETURN_IF_ERROR(check(ints.size()));
      if (type == DataType::kInt32) return Narrowed<int32_t>(std::move(shape), ints);
      if (type == DataType::kInt16) return Narrowed<int16_t>(std::move(shape), ints);
      if (type == DataType::kUInt16) return Narrowed<uint16_t>(std::move(shape), ints);
      break;
    }
    case mil::TensorValue::kLongInts: {
      const auto& ints = value.longints().values();
      RETURN_IF_ERROR(check(ints.size()));
      if (type == DataType::kInt64) return Narrowed<int64_t>(std::move(shape), ints);
      break;
    }
    case mil::TensorValue::kBools: {
      const auto& bools = value.bools().values();
      RETURN_IF_ERROR(check(bools.size()));
      if (type != DataType::kBool) break;
      auto [tensor, bytes] = Tensor::Allocate(DataType::kBool, std::move(shape));
      for (int i = 0; i < bools.size(); ++i) bytes[i] = static_cast<std::byte>(bools[i] ? 1 : 0);
      return tensor;
    }
    case mil::TensorValue::kStrings: {
      const auto& strings = value.strings().values();
      RETURN_IF_ERROR(check(strings.size()));
      if (type != DataType::kString) break;
      return Tensor::Strings(std::move(shape), std::vector<std::string>(strings.begin(), strings.end()));
    }
    case mil::TensorValue::kBytes: {
      const std::string& raw = value.bytes().values();
      if (type == DataType::kFloat32 || SizeOf(type) == 0) break;
      auto [tensor, bytes] = Tensor::Allocate(type, std::move(shape));
      if (raw.size() != bytes.size()) {
        return InvalidArgument("an immediate value holds {} bytes where its type says {}", raw.size(), bytes.size());
      }
      std::ranges::copy(std::as_bytes(std::span(raw)), bytes.begin());
      return tensor;
    }
    case mil::TensorValue::VALUE_NOT_SET:
      if (count == 0) return Tensor::Allocate(type, std::move(shape)).first;
      return InvalidArgument("an immediate value of {} elements is empty", count);
    default:
      break;
  }
  return InvalidArgument("an immediate value of {} is in the wrong field", Name(type));
}

}  // namespace

absl::StatusOr<DataType> ElementType(mil::DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.mil == type) return row.type;
  }
  return Unimplemented("the element type {} is not read", mil::DataType_Name(type));
}

absl::StatusOr<TensorInfo> TensorInfoOf(const mil::ValueType& type) {
  if (!type.has_tensortype()) return Unimplemented("a value is no tensor");
  const mil::TensorType& tensor = type.tensortype();
  if (tensor.rank() != tensor.dimensions_size()) {
    return InvalidArgument("a tensor type of rank {} has {} dimensions", tensor.rank(), tensor.dimensions_size());
  }
  TensorInfo info;
  ASSIGN_OR_RETURN(info.type, ElementType(tensor.datatype()));
  for (const mil::Dimension& dimension : tensor.dimensions()) {
    if (dimension.has_constant()) {
      if (dimension.constant().size() > (uint64_t{1} << 40))
        return InvalidArgument("a size of {} is absurd", dimension.constant().size());
      info.shape.emplace_back(static_cast<int64_t>(dimension.constant().size()));
    } else {
      info.shape.push_back(Dim::Unknown());
    }
  }
  return info;
}

absl::StatusOr<std::span<const std::byte>> WeightBlob(const MappedFile& weights, uint64_t offset, DataType type,
                                                      uint64_t bytes) {
  const std::span<const std::byte> file = weights.bytes();
  if (file.size() < kAlignment || ReadLittleEndian<uint32_t>(file, 4) != 2) {
    return DataLoss("weight.bin is no weight file of version 2");
  }
  if (offset % kAlignment != 0 || offset < kAlignment || offset > file.size() || file.size() - offset < kAlignment) {
    return DataLoss("weight.bin: no blob at offset {}", offset);
  }
  const std::span<const std::byte> metadata = file.subspan(offset, kAlignment);
  const auto element = ReadLittleEndian<uint32_t>(metadata, 4);
  const auto size = ReadLittleEndian<uint64_t>(metadata, 8);
  const auto data = ReadLittleEndian<uint64_t>(metadata, 16);
  if (ReadLittleEndian<uint32_t>(metadata, 0) != kSentinel) return DataLoss("weight.bin: no blob at offset {}", offset);
  const auto* row = std::ranges::find(kTypes, type, &TypeRow::type);
  if (row == std::end(kTypes) || row->blob == 0 || row->blob != element) {
    return InvalidArgument("weight.bin: the blob at {} is of element type {}, the program says {}", offset, element,
                           Name(type));
  }
  if (size != bytes) {
    return InvalidArgument("weight.bin: the blob at {} has {} bytes, the program says {}", offset, size, bytes);
  }
  if (data % kAlignment != 0 || data > file.size() || file.size() - data < size) {
    return DataLoss("weight.bin: the blob at {} lies outside the file", offset);
  }
  return file.subspan(data, size);
}

absl::StatusOr<Tensor> ConstantOf(const mil::Value& value, const std::shared_ptr<const MappedFile>& weights) {
  ASSIGN_OR_RETURN(const TensorInfo info, TensorInfoOf(value.type()));
  const auto shape = StaticShape(info.shape);
  if (!shape) return InvalidArgument("a constant has a variable size");
  const int64_t count = ElementCount(*shape);
  if (count < 0 || count > (int64_t{1} << 40)) return InvalidArgument("a constant's size is absurd");
  switch (value.value_case()) {
    case mil::Value::kImmediateValue:
      if (!value.immediatevalue().has_tensor()) return Unimplemented("an immediate value is no tensor");
      return Immediate(value.immediatevalue().tensor(), info.type, *shape, count);
    case mil::Value::kBlobFileValue: {
      if (value.blobfilevalue().filename() != kWeightFile) {
        return InvalidArgument("a constant lies in {}, not in {}", value.blobfilevalue().filename(), kWeightFile);
      }
      if (weights == nullptr) return DataLoss("the package has no weights/weight.bin");
      ASSIGN_OR_RETURN(const auto bytes, WeightBlob(*weights, value.blobfilevalue().offset(), info.type,
                                                    static_cast<uint64_t>(count) * SizeOf(info.type)));
      return Tensor(info.type, *shape, bytes, weights);
    }
    default:
      return InvalidArgument("a constant has no value");
  }
}

}  // namespace slipway::coreml_reader
