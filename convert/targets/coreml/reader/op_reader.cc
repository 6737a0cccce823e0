#include "convert/targets/coreml/reader/op_reader.h"

#include "common/base/error.h"
#include "convert/ir/cast.h"

namespace slipway::coreml_reader {

namespace mil = coreml::mil;

DataType HeldType(DataType declared) { return declared == DataType::kFloat16 ? DataType::kFloat32 : declared; }

Tensor Held(const Tensor& tensor) {
  return tensor.type() == DataType::kFloat16 ? tensor.Cast(DataType::kFloat32) : tensor;
}

Attributes Attrs(std::initializer_list<std::pair<std::string_view, AttributeValue>> pairs) {
  Attributes attributes;
  for (const auto& [name, value] : pairs) attributes.Set(name, value);
  return attributes;
}

std::string InnerName(std::string_view name) { return fmt::format("{}#inner", name); }

Value* AddCast(Graph& graph, Value* value, DataType type, std::string name) {
  Node* node = graph.AddNode(OpKind::kCast, {value}, {std::move(name)}, Attrs({{"to", ElementTypeCode(type)}}));
  node->output()->type = type;
  node->output()->shape = value->shape;
  return node->output();
}

void OpReader::Fail(absl::StatusCode code, std::string_view reason) {
  if (!status_.ok()) return;
  status_ = absl::Status(code, fmt::format("{} '{}': {}", type(), OutputName(), reason));
}

std::string OpReader::OutputName() const {
  return operation_.outputs_size() > 0 ? operation_.outputs(0).name() : std::string();
}

bool OpReader::Has(std::string_view parameter) const { return operation_.inputs().contains(std::string(parameter)); }

Value* OpReader::Bound(const mil::Argument::Binding& binding, std::string_view parameter) {
  if (binding.has_name()) {
    const auto found = scope_.find(binding.name());
    if (found != scope_.end()) return found->second;
    Malformed(fmt::format("{} names '{}', which nothing before it makes", parameter, binding.name()));
    return nullptr;
  }
  if (!binding.has_value()) {
    Malformed(fmt::format("{} is bound to nothing", parameter));
    return nullptr;
  }
  absl::StatusOr<Tensor> tensor = ConstantOf(binding.value(), weights_);
  if (!tensor.ok()) {
    Fail(tensor.status().code(), fmt::format("{}: {}", parameter, Message(tensor.status())));
    return nullptr;
  }
  return graph_.AddConstant(InnerName(OutputName()), Held(*tensor));
}

std::vector<Value*> OpReader::Inputs(std::string_view parameter) {
  std::vector<Value*> values;
  const auto found = operation_.inputs().find(std::string(parameter));
  if (found == operation_.inputs().end()) {
    Malformed(fmt::format("it has no {}", parameter));
    return values;
  }
  for (const auto& binding : found->second.arguments()) values.push_back(Bound(binding, parameter));
  return values;
}

Value* OpReader::Input(std::string_view parameter) {
  const std::vector<Value*> values = Inputs(parameter);
  if (!ok()) return nullptr;
  if (values.size() != 1) {
    Malformed(fmt::format("{} has {} arguments", parameter, values.size()));
    return nullptr;
  }
  return values[0];
}

Value* OpReader::OptionalInput(std::string_view parameter) { return Has(parameter) ? Input(parameter) : nullptr; }

const Tensor* OpReader::ConstantInput(std::string_view parameter) {
  if (!Has(parameter)) return nullptr;
  const Value* value = Input(parameter);
  if (value == nullptr) return nullptr;
  if (!value->constant) {
    Refuse(fmt::format("{} is no constant", parameter));
    return nullptr;
  }
  return &*value->constant;
}

namespace {

template <typename T>
T Only(OpReader& reader, std::string_view parameter, const std::vector<T>& values, T fallback) {
  if (values.size() == 1) return values[0];
  reader.Malformed(fmt::format("{} has {} elements instead of one", parameter, values.size()));
  return fallback;
}

}  // namespace

int64_t OpReader::Int(std::string_view parameter, int64_t fallback) {
  const Tensor* tensor = ConstantInput(parameter);
  return tensor == nullptr ? fallback : Only(*this, parameter, tensor->ToInt64s(), fallback);
}

double OpReader::Float(std::string_view parameter, double fallback) {
  const Tensor* tensor = ConstantInput(parameter);
  return tensor == nullptr ? fallback : Only(*this, parameter, tensor->ToDoubles(), fallback);
}

bool OpReader::Bool(std::string_view parameter, bool fallback) { return Int(parameter, fallback ? 1 : 0) != 0; }

std::string OpReader::String(std::string_view parameter, std::string_view fallback) {
  const Tensor* tensor = ConstantInput(parameter);
  if (tensor == nullptr) return std::string(fallback);
  if (tensor->type() != DataType::kString || tensor->size() != 1) {
    Malformed(fmt::format("{} is no string", parameter));
    return std::string(fallback);
  }
  return tensor->strings()[0];
}

std::vector<int64_t> OpReader::Ints(std::string_view parameter, std::vector<int64_t> fallback) {
  const Tensor* tensor = ConstantInput(parameter);
  return tensor == nullptr ? std::move(fallback) : tensor->ToInt64s();
}

int64_t OpReader::RankOf(const Value* value) {
  if (value == nullptr) return 0;
  if (value->constant) return value->constant->rank();
  if (value->rank() < 0) Refuse(fmt::format("the rank of '{}' is not known", value->name));
  return std::max<int64_t>(0, value->rank());
}

int64_t OpReader::Axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    Malformed(fmt::format("axis {} of a tensor of rank {}", axis, rank));
    return 0;
  }
  return axis < 0 ? axis + rank : axis;
}

Value* OpReader::Add(OpKind kind, std::vector<Value*> inputs, Attributes attributes, DataType type) {
  if (!ok()) return nullptr;
  if (type == DataType::kUndefined && !inputs.empty() && inputs[0] != nullptr) type = inputs[0]->type;
  std::vector<std::string> outputs(kind == OpKind::kTopK ? 2 : 1, InnerName(OutputName()));
  Node* node = graph_.AddNode(kind, std::move(inputs), std::move(outputs), std::move(attributes));
  node->name = node->output()->name;
  node->output()->type = type;
  return node->output();
}

Value* OpReader::SecondOutput(Value* first, DataType type) {
  if (!ok() || first == nullptr) return nullptr;
  Value* second = first->producer->output(1);
  second->type = type;
  return second;
}

Value* OpReader::Const(Tensor tensor) { return graph_.AddConstant(InnerName(OutputName()), std::move(tensor)); }

Value* OpReader::ConstInt64s(const std::vector<int64_t>& values) { return Const(Tensor::Int64s(values)); }

Value* OpReader::ConstScalar(int64_t value) { return Const(Tensor::From<int64_t>({}, {value})); }

Value* OpReader::ConstFloat(float value) { return Const(Tensor::Scalar(value)); }

Value* OpReader::ConstLike(const Value* value, double number) {
  const DataType type = value == nullptr ? DataType::kFloat32 : value->type;
  return Const(Tensor::From<double>({}, {number}).Cast(type));
}

Value* OpReader::CastTo(Value* value, DataType type) {
  if (!ok() || value == nullptr || value->type == type) return value;
  return AddCast(graph_, value, type, InnerName(OutputName()));
}

void OpReader::ReadOutputTypes() {
  for (const mil::NamedValueType& output : operation_.outputs()) {
    absl::StatusOr<TensorInfo> info = TensorInfoOf(output.type());
    if (!info.ok()) {
      Fail(info.status().code(), Message(info.status()));
      return;
    }
    if (output.name().empty()) Malformed("an output has no name");
    if (scope_.contains(output.name())) Malformed(fmt::format("the name '{}' is made twice", output.name()));
    outputs_.push_back(*std::move(info));
  }
  made_.assign(outputs_.size(), false);
}

void OpReader::Result(Value* value, size_t index) {
  if (!ok() || value == nullptr) return;
  if (index >= outputs_.size()) return;  // a result that the program does not name
  const std::string& name = operation_.outputs(static_cast<int>(index)).name();
  const TensorInfo& declared = outputs_[index];
  if (value->type != HeldType(declared.type)) {
    Malformed(fmt::format("it makes {} where '{}' is declared {}", Name(value->type), name, Name(declared.type)));
    return;
  }
  if (declared.type == DataType::kFloat16) {
    value = AddCast(graph_, AddCast(graph_, value, DataType::kFloat16, InnerName(name)), DataType::kFloat32, name);
  } else if (value->producer == nullptr || value->name.find('#') == std::string::npos) {
    // A value with a name of its own: an input, a constant, another op's.
    Node* node = graph_.AddNode(OpKind::kIdentity, {value}, {name});
    node->output()->type = value->type;
    node->output()->shape = declared.shape;
    value = node->output();
  } else {
    graph_.Rename(value, name);
    value->shape = declared.shape;
  }
  scope_[name] = value;
  made_[index] = true;
}

void OpReader::CheckResults() {
  for (size_t i = 0; i < made_.size(); ++i) {
    if (!made_[i]) Malformed(fmt::format("output {} has no meaning", i));
  }
}

}  // namespace slipway::coreml_reader
