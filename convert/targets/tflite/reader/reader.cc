#include "convert/targets/tflite/reader/reader.h"

#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "convert/targets/tflite/schema_generated.h"

namespace slipway::tflite_reader {
namespace {

namespace schema = tflite_schema;

constexpr int kMaxDepth = 64;
constexpr uint64_t kMaxFlatBuffer = FLATBUFFERS_MAX_BUFFER_SIZE - 1;  // data may follow it
constexpr int kPlaceholderCode = 127;                                 // PLACEHOLDER_FOR_GREATER_OP_CODES

struct TypeRow {
  std::string_view name;
  int64_t bits;
};
// By TensorType.
constexpr std::array<TypeRow, 20> kTypes = {{{"float32", 32},   {"float16", 16}, {"int32", 32},    {"uint8", 8},
                                             {"int64", 64},     {"string", 0},   {"bool", 8},      {"int16", 16},
                                             {"complex64", 64}, {"int8", 8},     {"float64", 64},  {"complex128", 128},
                                             {"uint64", 64},    {"resource", 0}, {"variant", 0},   {"uint32", 32},
                                             {"uint16", 16},    {"int4", 4},     {"bfloat16", 16}, {"int2", 2}}};

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

template <typename Vector>
std::vector<int> Indices(const Vector* vector) {
  return vector == nullptr ? std::vector<int>() : std::vector<int>(vector->begin(), vector->end());
}

class Reader {
 public:
  Reader(std::span<const std::byte> file, const schema::Model& model) : file_(file), model_(model) {}

  absl::StatusOr<ModelInfo> Read() {
    ModelInfo info;
    info.version = model_.version();
    info.description = Text(model_.description());
    RETURN_IF_ERROR(ReadOperatorCodes());
    if (model_.subgraphs() == nullptr || model_.subgraphs()->size() == 0) return DataLoss("the model has no sub-graph");
    for (const schema::SubGraph* subgraph : *model_.subgraphs()) {
      ASSIGN_OR_RETURN(SubgraphInfo read, ReadSubgraph(*subgraph, info.subgraphs.size()));
      info.subgraphs.push_back(std::move(read));
    }
    RETURN_IF_ERROR(ReadSignatures(info));
    if (model_.metadata() != nullptr) {
      for (const schema::Metadata* metadata : *model_.metadata()) {
        if (Text(metadata->name()) != "min_runtime_version") continue;
        ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, BufferBytes(metadata->buffer()));
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        info.min_runtime_version = std::string(text.substr(0, text.find('\0')));
      }
    }
    return info;
  }

 private:
  struct Code {
    std::string name;
    int version;
  };

  absl::Status ReadOperatorCodes() {
    if (model_.operator_codes() == nullptr) return absl::OkStatus();
    for (const schema::OperatorCode* code : *model_.operator_codes()) {
      const int builtin =
          code->deprecated_builtin_code() == kPlaceholderCode || static_cast<int>(code->builtin_code()) != 0
              ? static_cast<int>(code->builtin_code())
              : code->deprecated_builtin_code();
      std::string name;
      if (builtin == static_cast<int>(schema::BuiltinOperator::CUSTOM)) {
        name = "custom:" + Text(code->custom_code());
      } else {
        const char* known = schema::EnumNameBuiltinOperator(static_cast<schema::BuiltinOperator>(builtin));
        name = known != nullptr && *known != '\0' ? known : fmt::format("operator {}", builtin);
      }
      codes_.push_back({std::move(name), code->version()});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::span<const std::byte>> BufferBytes(uint32_t index) const {
    if (index == 0) return std::span<const std::byte>();
    if (model_.buffers() == nullptr || index >= model_.buffers()->size())
      return DataLoss("buffer {} is referred to, but there are {}", index,
                      model_.buffers() == nullptr ? 0 : model_.buffers()->size());
    const schema::Buffer& buffer = *model_.buffers()->Get(index);
    if (buffer.offset() > 1) {  // 0 and 1 stand for "in the FlatBuffer"
      if (buffer.offset() > file_.size() || buffer.size() > file_.size() - buffer.offset()) {
        return DataLoss("buffer {} claims bytes {}+{}, the file has {}", index, buffer.offset(), buffer.size(),
                        file_.size());
      }
      return file_.subspan(buffer.offset(), buffer.size());
    }
    if (buffer.data() == nullptr) return std::span<const std::byte>();
    return std::as_bytes(std::span(buffer.data()->data(), buffer.data()->size()));
  }

  absl::StatusOr<TensorInfo> ReadTensor(const schema::Tensor& tensor) const {
    TensorInfo info;
    info.name = Text(tensor.name());
    const auto type = static_cast<uint8_t>(tensor.type());
    info.type = type < kTypes.size() ? std::string(kTypes[type].name) : fmt::format("type {}", type);
    info.bits = type < kTypes.size() ? kTypes[type].bits : 0;
    const auto* shape = tensor.shape_signature() != nullptr && tensor.shape_signature()->size() > 0
                            ? tensor.shape_signature()
                            : tensor.shape();
    if (shape != nullptr) info.shape.assign(shape->begin(), shape->end());
    ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, BufferBytes(tensor.buffer()));
    info.constant_bytes = bytes.size();
    // Before has_rank existed, no shape meant a scalar for a constant and anything for the others.
    info.has_rank = tensor.has_rank() || !info.shape.empty() || !bytes.empty();
    info.quantized = tensor.quantization() != nullptr && tensor.quantization()->scale() != nullptr &&
                     tensor.quantization()->scale()->size() > 0;
    if (bytes.empty() || info.bits == 0) return info;
    int64_t count = 1;
    for (const int64_t size : info.shape) {
      if (size < 0 || __builtin_mul_overflow(count, size, &count) || count > INT64_MAX / 128)
        return DataLoss("constant tensor '{}' claims an impossible shape", info.name);
    }
    // Sparse tensors hold fewer values than their shape says.
    if (tensor.sparsity() == nullptr && static_cast<uint64_t>((count * info.bits + 7) / 8) != bytes.size()) {
      return DataLoss("constant tensor '{}' has {} bytes, its shape and type need {}", info.name, bytes.size(),
                      (count * info.bits + 7) / 8);
    }
    return info;
  }

  static absl::Status CheckIndices(const std::vector<int>& indices, size_t tensors, int least, std::string_view what) {
    for (const int index : indices) {
      if (index < least || (index >= 0 && static_cast<size_t>(index) >= tensors))
        return DataLoss("{} refers to tensor {}, but there are {}", what, index, tensors);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<SubgraphInfo> ReadSubgraph(const schema::SubGraph& subgraph, size_t index) const {
    SubgraphInfo info;
    info.name = Text(subgraph.name());
    if (subgraph.tensors() != nullptr) {
      for (const schema::Tensor* tensor : *subgraph.tensors()) {
        ASSIGN_OR_RETURN(TensorInfo read, ReadTensor(*tensor));
        info.tensors.push_back(std::move(read));
      }
    }
    info.inputs = Indices(subgraph.inputs());
    info.outputs = Indices(subgraph.outputs());
    const std::string what = fmt::format("sub-graph {}", index);
    RETURN_IF_ERROR(CheckIndices(info.inputs, info.tensors.size(), 0, what));
    RETURN_IF_ERROR(CheckIndices(info.outputs, info.tensors.size(), 0, what));
    if (subgraph.operators() == nullptr) return info;
    for (const schema::Operator* op : *subgraph.operators()) {
      if (op->opcode_index() >= codes_.size())
        return DataLoss("{}: an operator has code {}, but there are {}", what, op->opcode_index(), codes_.size());
      const Code& code = codes_[op->opcode_index()];
      OperatorInfo read{code.name, code.version, Indices(op->inputs()), Indices(op->outputs())};
      RETURN_IF_ERROR(CheckIndices(read.inputs, info.tensors.size(), -1, code.name));
      RETURN_IF_ERROR(CheckIndices(read.outputs, info.tensors.size(), 0, code.name));
      info.operators.push_back(std::move(read));
    }
    return info;
  }

  absl::Status ReadSignatures(ModelInfo& info) const {
    if (model_.signature_defs() == nullptr) return absl::OkStatus();
    for (const schema::SignatureDef* signature : *model_.signature_defs()) {
      SignatureInfo read{.key = Text(signature->signature_key()), .subgraph = signature->subgraph_index()};
      if (read.subgraph >= info.subgraphs.size())
        return DataLoss("signature '{}' refers to sub-graph {}, but there are {}", read.key, read.subgraph,
                        info.subgraphs.size());
      const size_t tensors = info.subgraphs[read.subgraph].tensors.size();
      for (const auto& [from, to] :
           {std::pair{signature->inputs(), &read.inputs}, {signature->outputs(), &read.outputs}}) {
        if (from == nullptr) continue;
        for (const schema::TensorMap* map : *from) {
          if (map->tensor_index() >= tensors)
            return DataLoss("signature '{}' refers to tensor {}, but there are {}", read.key, map->tensor_index(),
                            tensors);
          to->push_back({Text(map->name()), static_cast<int>(map->tensor_index())});
        }
      }
      info.signatures.push_back(std::move(read));
    }
    return absl::OkStatus();
  }

  std::span<const std::byte> file_;
  const schema::Model& model_;
  std::vector<Code> codes_;
};

}  // namespace

absl::StatusOr<ModelInfo> ReadTflite(std::span<const std::byte> file) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(file.data());
  if (file.size() < 8 || !schema::ModelBufferHasIdentifier(bytes))
    return DataLoss("no TFLite model: its identifier TFL3 is missing");
  const size_t size = std::min<uint64_t>(file.size(), kMaxFlatBuffer);
  flatbuffers::Verifier verifier(bytes, size, kMaxDepth, std::numeric_limits<flatbuffers::uoffset_t>::max());
  if (!schema::VerifyModelBuffer(verifier))
    return DataLoss("damaged: the FlatBuffer's offsets do not hold; the file is truncated or was changed");
  return Reader(file, *schema::GetModel(bytes)).Read();
}

}  // namespace slipway::tflite_reader
