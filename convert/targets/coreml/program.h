// A MIL program under construction: values named, constants placed, operations appended.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "convert/ir/graph.h"
#include "convert/targets/coreml/mil.pb.h"
#include "convert/targets/coreml/weight_file.h"

namespace slipway::coreml_writer {

namespace mil = coreml::mil;

// Types of an fp32 program: floats become float32, integers int32; bool stays. UNUSED_TYPE for strings and unknown.
mil::DataType MilType(DataType type);
// Core ML's names: [A-Za-z_][A-Za-z0-9_]*.
std::string Sanitized(std::string_view name);

// Type, and sizes as far as they are known.
void FillType(mil::DataType type, const Shape& shape, mil::ValueType& proto);

// Parameter → names of its values (several only for variadic ones).
using Arguments = std::vector<std::pair<std::string_view, std::vector<std::string>>>;

class Program {
 public:
  Program(mil::Block& block, WeightFile& weights) : block_(block), weights_(weights) {}

  // Gives `value` a name of its own, from its IR name.
  const std::string& Name(const Value& value);
  std::string Fresh(std::string_view base);
  // Binds a value to a name that exists already.
  void Bind(const Value& value, std::string name) { names_[&value] = std::move(name); }

  // The value's name as an operand; a constant is placed at its first use.
  std::string Operand(const Value& value);
  std::string Operand(const Node& node, size_t i) { return Operand(*node.inputs[i]); }

  // The operation that makes node's outputs.
  void Emit(const Node& node, std::string_view type, Arguments arguments);
  // An operation in between, of one output named after `node`.
  std::string Helper(const Node& node, std::string_view type, Arguments arguments, mil::DataType output_type,
                     const Shape& shape);
  void Operation(std::string_view type, const Arguments& arguments,
                 const std::vector<std::pair<std::string, mil::ValueType>>& outputs);

  // Parameters: a constant each.
  std::string Ints(const std::vector<int64_t>& values);
  std::string Int(int64_t value);
  std::string Bool(bool value);
  std::string Bools(const std::vector<bool>& values);
  std::string Text(std::string_view value);
  std::string Float(float value);
  // A tensor in MilType's element type; in weight.bin when it is float32 of 10 elements or more.
  std::string Constant(std::string_view base, const Tensor& tensor);

 private:
  std::string AddConstant(std::string_view base, mil::Value value);

  mil::Block& block_;
  WeightFile& weights_;
  absl::flat_hash_map<const Value*, std::string> names_;
  std::set<const Value*> placed_;
  std::set<std::string> taken_;
  std::map<std::string, int, std::less<>> suffixes_;
};

}  // namespace slipway::coreml_writer
