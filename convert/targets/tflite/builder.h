// A .tflite file under construction: tensors, operators, then the file.
//
// The FlatBuffer's tables are made in memory; constants are not: each stands after the tables, 16-byte aligned, streamed from where
// it is (a view into the mapped input), transposed on the way where TFLite wants other axes. Equal constants are stored once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convert/ir/graph.h"
#include "convert/targets/tflite/schema_generated.h"

namespace slipway::tflite {

namespace schema = ::slipway::tflite_schema;

// TFLite's element type; nullopt for one that it lacks.
std::optional<schema::TensorType> TypeOf(DataType type);

// Options of an operator, made when the file is.
using OptionsMaker = std::function<flatbuffers::Offset<void>(flatbuffers::FlatBufferBuilder&)>;

class ModelBuilder {
 public:
  // The tensor of an IR value: made at the first call.
  int32_t Value(const slipway::Value* value);
  // -1, "left out", for nullptr.
  int32_t Optional(const slipway::Value* value) { return value == nullptr ? -1 : Value(value); }
  // A constant of its own. `perm`, if any, transposes it on the way to the file.
  int32_t Constant(std::string name, const Tensor& tensor, std::vector<int64_t> perm = {});
  // The constant behind a value, its axes in the order perm.
  int32_t Weights(const slipway::Value* value, std::vector<int64_t> perm) {
    return Constant(value->name, *value->constant, std::move(perm));
  }
  // int32 parameters, rank 1.
  int32_t Ints(std::string name, const std::vector<int64_t>& values);
  // An int32 scalar.
  int32_t Int(std::string name, int64_t value);
  // A tensor between two operators of one node.
  int32_t Intermediate(std::string name, DataType type, const Shape& shape);

  // SQUEEZE and EXPAND_DIMS of one axis, for sizes that a RESHAPE cannot say.
  void Squeeze(int32_t input, int64_t axis, int32_t output);
  void ExpandDims(int32_t input, int64_t axis, int32_t output);

  void Op(schema::BuiltinOperator op, std::vector<int32_t> inputs, std::vector<int32_t> outputs, int version = 1,
          schema::BuiltinOptions type = schema::BuiltinOptions::NONE, OptionsMaker options = nullptr);
  // The same with a table of options without fields, or with those that `fill` sets: Op<schema::SoftmaxOptions>(…, builder.add_beta(1)).
  template <typename Options, typename Fill>
  void OpWith(schema::BuiltinOperator op, std::vector<int32_t> inputs, std::vector<int32_t> outputs, int version,
              Fill fill) {
    Op(op, std::move(inputs), std::move(outputs), version, schema::BuiltinOptionsTraits<Options>::enum_value,
       [fill](flatbuffers::FlatBufferBuilder& buffer) {
         typename Options::Builder builder(buffer);
         fill(builder);
         return builder.Finish().Union();
       });
  }

  void AddInput(const std::string& name, int32_t tensor) { inputs_.emplace_back(name, tensor); }
  void AddOutput(const std::string& name, int32_t tensor) { outputs_.emplace_back(name, tensor); }

  // Sizes that stand in `shape` for symbols, until a runtime resizes the inputs (`shape_signature` says -1). Others get 1.
  void SetSizes(std::map<std::string, int64_t> sizes) { sizes_ = std::move(sizes); }

  // Name of a tensor in the file.
  const std::string& NameOf(int32_t tensor) const { return tensors_[tensor].name; }

  absl::Status Write(const std::filesystem::path& path, const std::string& model_name) const;

 private:
  struct TensorRecord {
    std::string name;
    DataType type;
    Shape shape;
    uint32_t buffer = 0;
  };
  struct BufferRecord {
    Tensor tensor;
    std::vector<int64_t> perm;
    uint64_t size() const { return tensor.bytes().size(); }
  };
  struct OperatorRecord {
    uint32_t code;
    std::vector<int32_t> inputs, outputs;
    schema::BuiltinOptions type;
    OptionsMaker options;
  };
  struct Placement {
    uint64_t offset = 0, size = 0;
  };

  uint32_t BufferOf(const Tensor& tensor, const std::vector<int64_t>& perm);
  int32_t AddTensor(std::string name, DataType type, Shape shape, uint32_t buffer);
  // The tables; `outside` if the constants are beyond the FlatBuffer's offsets.
  std::string Tables(const std::string& model_name, const std::vector<Placement>& placements, bool outside) const;

  std::vector<TensorRecord> tensors_;
  std::vector<BufferRecord> buffers_;  // buffer 0, the empty one, is not among them
  std::vector<OperatorRecord> operators_;
  std::vector<std::pair<schema::BuiltinOperator, int>> codes_;
  std::vector<std::pair<std::string, int32_t>> inputs_, outputs_;
  std::map<std::string, int64_t> sizes_;
  absl::flat_hash_map<const slipway::Value*, int32_t> values_;
  absl::flat_hash_map<std::string, int> names_;
  absl::flat_hash_map<size_t, std::vector<uint32_t>> by_hash_;
};

}  // namespace slipway::tflite
