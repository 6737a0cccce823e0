#include "convert/targets/tflite/builder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "common/base/error.h"
#include "common/base/output_file.h"
#include "convert/passes/match.h"

namespace slipway::tflite {
namespace {

constexpr uint64_t kAlignment = 16;
constexpr uint64_t kLargestFlatBuffer = (uint64_t{1} << 31) - (1 << 20);
constexpr std::string_view kMinRuntimeVersion = "2.8.0";  // signatures and every operator version that is written

uint64_t Aligned(uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

std::vector<int64_t> PermutedShape(const Tensor& tensor, const std::vector<int64_t>& perm) {
  std::vector<int64_t> shape;
  for (size_t i = 0; i < tensor.shape().size(); ++i)
    shape.push_back(tensor.shape()[perm.empty() ? i : static_cast<size_t>(perm[i])]);
  return shape;
}

}  // namespace

std::optional<schema::TensorType> TypeOf(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return schema::TensorType::FLOAT32;
    case DataType::kFloat16:
      return schema::TensorType::FLOAT16;
    case DataType::kFloat64:
      return schema::TensorType::FLOAT64;
    case DataType::kInt8:
      return schema::TensorType::INT8;
    case DataType::kInt16:
      return schema::TensorType::INT16;
    case DataType::kInt32:
      return schema::TensorType::INT32;
    case DataType::kInt64:
      return schema::TensorType::INT64;
    case DataType::kUInt8:
      return schema::TensorType::UINT8;
    case DataType::kUInt16:
      return schema::TensorType::UINT16;
    case DataType::kUInt32:
      return schema::TensorType::UINT32;
    case DataType::kUInt64:
      return schema::TensorType::UINT64;
    case DataType::kBool:
      return schema::TensorType::BOOL;
    default:
      return std::nullopt;
  }
}

namespace {

// Of words spread over the tensor: weights that differ, differ nearly everywhere, and all of their bytes take longer to hash than to write.
size_t SampledHash(std::string_view bytes) {
  constexpr size_t kWords = 64;
  if (bytes.size() <= kWords * sizeof(uint64_t)) return std::hash<std::string_view>()(bytes);
  std::array<uint64_t, kWords + 1> sample;
  const size_t last = bytes.size() - sizeof(uint64_t);
  for (size_t i = 0; i < kWords; ++i) {
    std::memcpy(&sample[i], bytes.data() + last / (kWords - 1) * i, sizeof(uint64_t));
  }
  sample[kWords] = bytes.size();
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(sample.data()), sizeof(sample)});
}

}  // namespace

uint32_t ModelBuilder::BufferOf(const Tensor& tensor, const std::vector<int64_t>& perm) {
  const std::string_view bytes(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
  std::vector<uint32_t>& candidates = by_hash_[SampledHash(bytes)];
  for (uint32_t candidate : candidates) {
    const BufferRecord& record = buffers_[candidate];
    const bool same_order = perm.empty() ? record.perm.empty()
                                         : record.perm == perm && record.tensor.shape() == tensor.shape() &&
                                               record.tensor.type() == tensor.type();
    if (same_order && record.tensor.bytes().size() == bytes.size() &&
        std::memcmp(record.tensor.bytes().data(), bytes.data(), bytes.size()) == 0) {
      return candidate + 1;
    }
  }
  candidates.push_back(static_cast<uint32_t>(buffers_.size()));
  buffers_.push_back({tensor, perm});
  return static_cast<uint32_t>(buffers_.size());
}

int32_t ModelBuilder::AddTensor(std::string name, DataType type, Shape shape, uint32_t buffer) {
  if (const int count = names_[name]++; count > 0) {
    std::string unique;
    do {
      unique = fmt::format("{}_{}", name, names_[name]++);
    } while (names_.contains(unique));
    names_[unique] = 1;
    name = std::move(unique);
  }
  tensors_.push_back({std::move(name), type, std::move(shape), buffer});
  return static_cast<int32_t>(tensors_.size()) - 1;
}

int32_t ModelBuilder::Value(const slipway::Value* value) {
  if (const auto found = values_.find(value); found != values_.end()) return found->second;
  const int32_t tensor = value->IsConstant() ? Constant(value->name, *value->constant)
                                             : AddTensor(value->name, value->type, value->shape.value_or(Shape{}), 0);
  values_[value] = tensor;
  return tensor;
}

int32_t ModelBuilder::Constant(std::string name, const Tensor& tensor, std::vector<int64_t> perm) {
  if (IsIdentityPerm(perm)) perm.clear();
  Shape shape = ToShape(PermutedShape(tensor, perm));
  return AddTensor(std::move(name), tensor.type(), std::move(shape), BufferOf(tensor, perm));
}

int32_t ModelBuilder::Ints(std::string name, const std::vector<int64_t>& values) {
  return Constant(std::move(name), Tensor::Int64s(values).Cast(DataType::kInt32));
}

int32_t ModelBuilder::Int(std::string name, int64_t value) {
  return Constant(std::move(name), Tensor::From<int64_t>({}, {value}).Cast(DataType::kInt32));
}

int32_t ModelBuilder::Intermediate(std::string name, DataType type, const Shape& shape) {
  return AddTensor(std::move(name), type, shape, 0);
}

void ModelBuilder::Squeeze(int32_t input, int64_t axis, int32_t output) {
  Op(schema::BuiltinOperator::SQUEEZE, {input}, {output}, 1, schema::BuiltinOptions::SqueezeOptions,
     [axis](flatbuffers::FlatBufferBuilder& buffer) {
       const auto dims = buffer.CreateVector(std::vector<int32_t>{static_cast<int32_t>(axis)});
       return schema::CreateSqueezeOptions(buffer, dims).Union();
     });
}

void ModelBuilder::ExpandDims(int32_t input, int64_t axis, int32_t output) {
  const int32_t at = Int("axis", axis);
  OpWith<schema::ExpandDimsOptions>(schema::BuiltinOperator::EXPAND_DIMS, {input, at}, {output}, 1, [](auto&) {});
}

void ModelBuilder::Op(schema::BuiltinOperator op, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
                      int version, schema::BuiltinOptions type, OptionsMaker options) {
  const std::pair code{op, version};
  auto found = std::find(codes_.begin(), codes_.end(), code);
  if (found == codes_.end()) found = codes_.insert(codes_.end(), code);
  operators_.push_back(
      {static_cast<uint32_t>(found - codes_.begin()), std::move(inputs), std::move(outputs), type, std::move(options)});
}

std::string ModelBuilder::Tables(const std::string& model_name, const std::vector<Placement>& placements,
                                 bool outside) const {
  flatbuffers::FlatBufferBuilder builder(1 << 16);
  std::vector<flatbuffers::Offset<schema::Buffer>> buffers = {schema::CreateBuffer(builder)};
  // Inside: the field is made to point at an empty vector, and turned to where the bytes stand once that is known.
  const auto placeholder = builder.CreateVector(std::vector<uint8_t>());
  for (const Placement& placement : placements) {
    schema::BufferBuilder buffer(builder);
    if (outside) {
      buffer.add_offset(placement.offset);
      buffer.add_size(placement.size);
    } else if (placement.size > 0) {
      buffer.add_data(placeholder);
    }
    buffers.push_back(buffer.Finish());
  }
  const std::vector<uint8_t> version(kMinRuntimeVersion.begin(), kMinRuntimeVersion.end());
  std::vector<uint8_t> padded_version = version;
  padded_version.resize(16, 0);
  const uint32_t version_buffer = static_cast<uint32_t>(buffers.size());
  builder.ForceVectorAlignment(padded_version.size(), 1, kAlignment);
  buffers.push_back(schema::CreateBuffer(builder, builder.CreateVector(padded_version)));

  std::vector<flatbuffers::Offset<schema::Tensor>> tensors;
  for (const TensorRecord& record : tensors_) {
    std::vector<int32_t> shape, signature;
    for (const Dim& size : record.shape) {
      shape.push_back(static_cast<int32_t>(size.Evaluate(sizes_).value_or(1)));
      signature.push_back(size.IsKnown() ? static_cast<int32_t>(size.value()) : -1);
    }
    const bool dynamic = !IsStatic(record.shape);
    const auto name = builder.CreateString(record.name);
    const auto shape_vector = builder.CreateVector(shape);
    const auto signature_vector = dynamic ? builder.CreateVector(signature) : 0;
    schema::TensorBuilder tensor(builder);
    tensor.add_shape(shape_vector);
    tensor.add_type(*TypeOf(record.type));
    tensor.add_buffer(record.buffer);
    tensor.add_name(name);
    if (dynamic) tensor.add_shape_signature(signature_vector);
    tensor.add_has_rank(true);
    tensors.push_back(tensor.Finish());
  }

  std::vector<flatbuffers::Offset<schema::Operator>> operators;
  for (const OperatorRecord& record : operators_) {
    const auto inputs = builder.CreateVector(record.inputs), outputs = builder.CreateVector(record.outputs);
    const auto options = record.options ? record.options(builder) : flatbuffers::Offset<void>(0);
    schema::OperatorBuilder op(builder);
    op.add_opcode_index(record.code);
    op.add_inputs(inputs);
    op.add_outputs(outputs);
    if (record.options) {
      op.add_builtin_options_type(record.type);
      op.add_builtin_options(options);
    }
    operators.push_back(op.Finish());
  }

  std::vector<flatbuffers::Offset<schema::OperatorCode>> codes;
  for (const auto& [op, op_version] : codes_) {
    const int code = static_cast<int>(op);
    const int8_t old_code = static_cast<int8_t>(
        std::min<int>(code, static_cast<int>(schema::BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES)));
    codes.push_back(schema::CreateOperatorCode(builder, old_code, 0, op_version, op));
  }

  std::vector<int32_t> input_tensors, output_tensors;
  std::vector<flatbuffers::Offset<schema::TensorMap>> input_map, output_map;
  for (const auto& [name, tensor] : inputs_) {
    input_tensors.push_back(tensor);
    input_map.push_back(schema::CreateTensorMap(builder, builder.CreateString(name), static_cast<uint32_t>(tensor)));
  }
  for (const auto& [name, tensor] : outputs_) {
    output_tensors.push_back(tensor);
    output_map.push_back(schema::CreateTensorMap(builder, builder.CreateString(name), static_cast<uint32_t>(tensor)));
  }
  const auto subgraph = schema::CreateSubGraph(
      builder, builder.CreateVector(tensors), builder.CreateVector(input_tensors), builder.CreateVector(output_tensors),
      builder.CreateVector(operators), builder.CreateString("main"));
  const auto signature =
      schema::CreateSignatureDef(builder, builder.CreateVector(input_map), builder.CreateVector(output_map),
                                 builder.CreateString("serving_default"), 0);
  const auto metadata = schema::CreateMetadata(builder, builder.CreateString("min_runtime_version"), version_buffer);
  const auto model = schema::CreateModel(builder, 3, builder.CreateVector(codes), builder.CreateVector(&subgraph, 1),
                                         builder.CreateString(model_name), builder.CreateVector(buffers), 0,
                                         builder.CreateVector(&metadata, 1), builder.CreateVector(&signature, 1));
  builder.Finish(model, schema::ModelIdentifier());
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

absl::Status ModelBuilder::Write(const std::filesystem::path& path, const std::string& model_name) const {
  std::vector<Placement> placements(buffers_.size());
  for (size_t i = 0; i < buffers_.size(); ++i) placements[i].size = buffers_[i].size();
  const auto place = [&](uint64_t tables) {
    uint64_t at = tables;
    for (Placement& placement : placements) {
      at = Aligned(at + sizeof(uint32_t));  // a vector's length stands before its elements
      placement.offset = at;
      at += placement.size;
    }
    return at;
  };
  std::string tables = Tables(model_name, placements, false);
  const bool outside = place(tables.size()) > kLargestFlatBuffer;
  if (outside) {
    place(Tables(model_name, placements, true).size());
    tables = Tables(model_name, placements, true);
  } else {
    auto* model = flatbuffers::GetMutableRoot<schema::Model>(tables.data());
    const auto* buffers = model->buffers();
    for (size_t i = 0; i < placements.size(); ++i) {
      if (placements[i].size == 0) continue;
      const auto* table =
          reinterpret_cast<const flatbuffers::Table*>(buffers->Get(static_cast<flatbuffers::uoffset_t>(i + 1)));
      uint8_t* field = const_cast<uint8_t*>(table->GetAddressOf(schema::Buffer::VT_DATA));
      const uint64_t from = static_cast<uint64_t>(field - reinterpret_cast<const uint8_t*>(tables.data()));
      flatbuffers::WriteScalar(field,
                               static_cast<flatbuffers::uoffset_t>(placements[i].offset - sizeof(uint32_t) - from));
    }
  }
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(tables))));
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const BufferRecord& record = buffers_[i];
    const uint32_t length = flatbuffers::EndianScalar(static_cast<uint32_t>(record.size()));
    const std::vector<std::byte> padding(placements[i].offset - sizeof(length) - file.size());
    RETURN_IF_ERROR(file.Write(padding));
    RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(&length, 1))));
    RETURN_IF_ERROR(
        file.Write(record.perm.empty() ? record.tensor.bytes() : Transpose(record.tensor, record.perm).bytes()));
  }
  return file.Close();
}

}  // namespace slipway::tflite
