// What an op family's file works with: one MIL operation being read.
//
// Typing. Every fp16 value of the program is held in fp32 and rounded to fp16 where it is made (Cast to fp16 and back), so that
// onnxruntime's fp32 kernels compute what an fp16 device stores between ops. Nothing but Cast ever has an fp16 tensor.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "convert/ir/graph.h"
#include "convert/targets/coreml/mil.pb.h"
#include "convert/targets/coreml/reader/values.h"

namespace slipway::coreml_reader {

// The program's values by their MIL names, as held.
using Scope = absl::flat_hash_map<std::string, Value*>;

// Reads parameters and adds nodes. The first error is kept, everything after it is harmless (nullptr values, fallbacks): op files read on
// and return; the caller looks at status().
class OpReader {
 public:
  OpReader(Graph& graph, Scope& scope, const coreml::mil::Operation& operation,
           std::shared_ptr<const MappedFile> weights)
      : graph_(graph), scope_(scope), operation_(operation), weights_(std::move(weights)) {}

  std::string_view type() const { return operation_.type(); }
  const absl::Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  // "conv 'name': <reason>"
  void Fail(absl::StatusCode code, std::string_view reason);
  void Refuse(std::string_view reason) { Fail(absl::StatusCode::kUnimplemented, reason); }
  void Malformed(std::string_view reason) { Fail(absl::StatusCode::kInvalidArgument, reason); }

  // --- parameters by name
  bool Has(std::string_view parameter) const;
  Value* Input(std::string_view parameter);                // fails when absent
  Value* OptionalInput(std::string_view parameter);        // nullptr when absent
  std::vector<Value*> Inputs(std::string_view parameter);  // variadic
  // Constants; the parameter must be one if it is there.
  int64_t Int(std::string_view parameter, int64_t fallback);
  double Float(std::string_view parameter, double fallback);
  bool Bool(std::string_view parameter, bool fallback);
  std::string String(std::string_view parameter, std::string_view fallback);
  std::vector<int64_t> Ints(std::string_view parameter, std::vector<int64_t> fallback = {});
  // Rank of a value; fails when it is unknown.
  int64_t RankOf(const Value* value);
  // axis in [0, rank) of one in [-rank, rank).
  int64_t Axis(int64_t axis, int64_t rank);

  // --- results
  size_t output_count() const { return static_cast<size_t>(operation_.outputs_size()); }
  const TensorInfo& output(size_t index = 0) const { return outputs_[index]; }
  // A helper node. `type`: of its result, by default that of its first input.
  Value* Add(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}, DataType type = DataType::kUndefined);
  // Output 1 of the node that made `first`.
  Value* SecondOutput(Value* first, DataType type);
  Value* Const(Tensor tensor);
  Value* ConstInt64s(const std::vector<int64_t>& values);
  Value* ConstScalar(int64_t value);                    // rank 0
  Value* ConstFloat(float value);                       // rank 0
  Value* ConstLike(const Value* value, double number);  // rank 0, of the value's type
  Value* CastTo(Value* value, DataType type);           // itself if it has the type
  // The op's result `index` is `value`: named, typed and (fp16) rounded as declared.
  void Result(Value* value, size_t index = 0);
  // Add + Result of output 0.
  void Emit(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    Result(Add(kind, std::move(inputs), std::move(attributes)));
  }

  // For the driver: the declared outputs; fails on malformed ones.
  void ReadOutputTypes();
  // For the driver: fails when an output has got no result.
  void CheckResults();

 private:
  std::string OutputName() const;
  const Tensor* ConstantInput(std::string_view parameter);
  Value* Bound(const coreml::mil::Argument::Binding& binding, std::string_view parameter);

  Graph& graph_;
  Scope& scope_;
  const coreml::mil::Operation& operation_;
  std::shared_ptr<const MappedFile> weights_;
  absl::Status status_;
  std::vector<TensorInfo> outputs_;
  std::vector<bool> made_;
};

// The type that the interpreter holds a declared type in: fp32 for fp16, else itself.
DataType HeldType(DataType declared);
// The tensor in its held type.
Tensor Held(const Tensor& tensor);
// A Cast, typed and shaped.
Value* AddCast(Graph& graph, Value* value, DataType type, std::string name);
// A name that no MIL value has (an identifier cannot hold '#').
std::string InnerName(std::string_view name);

// One op: how it is read.
struct OpEntry {
  std::string_view type;
  void (*read)(OpReader&);
};
// Each family's ops; FindOpEntry looks through all of them.
std::span<const OpEntry> ActivationOps();
std::span<const OpEntry> ConvOps();
std::span<const OpEntry> ElementwiseOps();
std::span<const OpEntry> GatherOps();
std::span<const OpEntry> GemmOps();
std::span<const OpEntry> NormalizationOps();
std::span<const OpEntry> PoolOps();
std::span<const OpEntry> ReduceOps();
std::span<const OpEntry> ReshapeOps();
std::span<const OpEntry> ResizeOps();
std::span<const OpEntry> SliceOps();
std::span<const OpEntry> SoftmaxOps();
const OpEntry* FindOpEntry(std::string_view type);

// Attributes from pairs, for one-line nodes.
Attributes Attrs(std::initializer_list<std::pair<std::string_view, AttributeValue>> pairs);

}  // namespace slipway::coreml_reader
