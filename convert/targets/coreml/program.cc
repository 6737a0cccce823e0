#include "convert/targets/coreml/program.h"

#include <algorithm>
#include <limits>

#include "common/base/error.h"

namespace slipway::coreml_writer {
namespace {

constexpr int64_t kMinBlobElements = 10;

mil::Value Immediate(mil::DataType type, const Shape& shape) {
  mil::Value value;
  FillType(type, shape, *value.mutable_type());
  value.mutable_immediatevalue()->mutable_tensor();
  return value;
}

mil::TensorValue& Data(mil::Value& value) { return *value.mutable_immediatevalue()->mutable_tensor(); }

int32_t Saturated(int64_t value) {
  return static_cast<int32_t>(
      std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

mil::Value TextValue(std::string_view text) {
  mil::Value value = Immediate(mil::STRING, {});
  Data(value).mutable_strings()->add_values(std::string(text));
  return value;
}

}  // namespace

mil::DataType MilType(DataType type) {
  if (type == DataType::kBool) return mil::BOOL;
  if (IsFloat(type)) return mil::FLOAT32;
  return IsInteger(type) ? mil::INT32 : mil::UNUSED_TYPE;
}

std::string Sanitized(std::string_view name) {
  std::string result;
  for (char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (digit && result.empty()) result += '_';
    result += letter || digit ? c : '_';
  }
  return result.empty() ? "_" : result;
}

void FillType(mil::DataType type, const Shape& shape, mil::ValueType& proto) {
  mil::TensorType& tensor = *proto.mutable_tensortype();
  tensor.set_datatype(type);
  tensor.set_rank(static_cast<int64_t>(shape.size()));
  for (const Dim& size : shape) {
    mil::Dimension& dim = *tensor.add_dimensions();
    if (size.IsKnown())
      dim.mutable_constant()->set_size(static_cast<uint64_t>(size.value()));
    else
      dim.mutable_unknown();
  }
}

std::string Program::Fresh(std::string_view base) {
  std::string name(base);
  if (taken_.insert(name).second) return name;
  int& suffix = suffixes_[name];
  do {
    name = fmt::format("{}_{}", base, suffix++);
  } while (!taken_.insert(name).second);
  return name;
}

const std::string& Program::Name(const Value& value) {
  auto& name = names_[&value];
  if (name.empty()) name = Fresh(Sanitized(value.name));
  return name;
}

std::string Program::Operand(const Value& value) {
  if (!value.constant || !placed_.insert(&value).second) return Name(value);
  Bind(value, Constant(Sanitized(value.name), *value.constant));
  return Name(value);
}

void Program::Operation(std::string_view type, const Arguments& arguments,
                        const std::vector<std::pair<std::string, mil::ValueType>>& outputs) {
  mil::Operation& operation = *block_.add_operations();
  operation.set_type(std::string(type));
  for (const auto& [parameter, values] : arguments) {
    mil::Argument& argument = (*operation.mutable_inputs())[std::string(parameter)];
    for (const std::string& value : values) argument.add_arguments()->set_name(value);
  }
  for (const auto& [name, value_type] : outputs) {
    mil::NamedValueType& output = *operation.add_outputs();
    output.set_name(name);
    *output.mutable_type() = value_type;
  }
  (*operation.mutable_attributes())["name"] = TextValue(outputs.empty() ? type : outputs.front().first);
}

void Program::Emit(const Node& node, std::string_view type, Arguments arguments) {
  std::vector<std::pair<std::string, mil::ValueType>> outputs;
  for (const Value* output : node.outputs) {
    mil::ValueType value_type;
    FillType(MilType(output->type), *output->shape, value_type);
    outputs.emplace_back(Name(*output), std::move(value_type));
  }
  Operation(type, arguments, outputs);
}

std::string Program::Helper(const Node& node, std::string_view type, Arguments arguments, mil::DataType output_type,
                            const Shape& shape) {
  mil::ValueType value_type;
  FillType(output_type, shape, value_type);
  std::string name = Fresh(fmt::format("{}_{}", Name(*node.outputs[0]), type));
  Operation(type, arguments, {{name, std::move(value_type)}});
  return name;
}

std::string Program::AddConstant(std::string_view base, mil::Value value) {
  std::string name = Fresh(base);
  mil::Operation& operation = *block_.add_operations();
  operation.set_type("const");
  mil::NamedValueType& output = *operation.add_outputs();
  output.set_name(name);
  *output.mutable_type() = value.type();
  (*operation.mutable_attributes())["name"] = TextValue(name);
  (*operation.mutable_attributes())["val"] = std::move(value);
  return name;
}

std::string Program::Ints(const std::vector<int64_t>& values) { return Constant("ints", Tensor::Int64s(values)); }
std::string Program::Int(int64_t value) { return Constant("int", Tensor::From<int64_t>({}, {value})); }
std::string Program::Float(float value) { return Constant("float", Tensor::Scalar(value)); }

std::string Program::Bool(bool value) {
  mil::Value proto = Immediate(mil::BOOL, {});
  Data(proto).mutable_bools()->add_values(value);
  return AddConstant("bool", std::move(proto));
}

std::string Program::Bools(const std::vector<bool>& values) {
  mil::Value proto = Immediate(mil::BOOL, {Dim(static_cast<int64_t>(values.size()))});
  for (bool value : values) Data(proto).mutable_bools()->add_values(value);
  return AddConstant("bools", std::move(proto));
}

std::string Program::Text(std::string_view value) { return AddConstant("text", TextValue(value)); }

std::string Program::Constant(std::string_view base, const Tensor& tensor) {
  const mil::DataType type = MilType(tensor.type());
  if (type == mil::FLOAT32 && tensor.size() >= kMinBlobElements) {
    mil::Value value;
    FillType(type, ToShape(tensor.shape()), *value.mutable_type());
    value.mutable_blobfilevalue()->set_filename("@model_path/weights/weight.bin");
    value.mutable_blobfilevalue()->set_offset(weights_.Add(tensor.Cast(DataType::kFloat32)));
    return AddConstant(base, std::move(value));
  }
  mil::Value value = Immediate(type, ToShape(tensor.shape()));
  switch (type) {
    case mil::FLOAT32:
      Data(value).mutable_floats();
      for (float element : tensor.ToFloats()) Data(value).mutable_floats()->add_values(element);
      break;
    case mil::BOOL:
      Data(value).mutable_bools();
      for (int64_t element : tensor.ToInt64s()) Data(value).mutable_bools()->add_values(element != 0);
      break;
    default:
      Data(value).mutable_ints();
      for (int64_t element : tensor.ToInt64s()) Data(value).mutable_ints()->add_values(Saturated(element));
      break;
  }
  return AddConstant(base, std::move(value));
}

}  // namespace slipway::coreml_writer
