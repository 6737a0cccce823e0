#include "convert/passes/match.h"

#include <cmath>

#include "common/base/error.h"
#include "convert/passes/shapes.h"

namespace slipway {

std::optional<double> ScalarOf(const Value* value) {
  if (value == nullptr || !value->constant || value->constant->size() != 1 ||
      value->constant->type() == DataType::kString)
    return std::nullopt;
  return value->constant->ToDoubles()[0];
}

bool IsScalar(const Value* value, double number) {
  const std::optional<double> scalar = ScalarOf(value);
  return scalar && std::abs(*scalar - number) <= 1e-4 * std::abs(number);
}

Node* ProducerOf(const Value* value, OpKind kind) {
  return value != nullptr && value->producer != nullptr && value->producer->kind == kind ? value->producer : nullptr;
}

Node* SoleProducer(const Graph& graph, const Value* value, OpKind kind) {
  Node* producer = ProducerOf(value, kind);
  return producer != nullptr && producer->graph == &graph && value->uses.size() == 1 && !graph.IsOutput(value)
             ? producer
             : nullptr;
}

Node* SoleReader(const Graph& graph, const Value* value) {
  if (value->uses.size() != 1 || graph.IsOutput(value)) return nullptr;
  Node* reader = value->uses[0].node;
  return reader->graph == &graph ? reader : nullptr;
}

int ConstantInput(const Node& node) {
  const bool a = node.constant(0) != nullptr, b = node.constant(1) != nullptr;
  return a == b ? -1 : b ? 1 : 0;
}

absl::Status Rewrite(Graph& graph, Node& node, OpKind kind, std::vector<Value*> inputs, Attributes attributes) {
  while (!node.inputs.empty()) graph.SetInput(&node, node.inputs.size() - 1, nullptr);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] != nullptr) graph.SetInput(&node, i, inputs[i]);
  }
  node.kind = kind;
  node.attributes = std::move(attributes);
  return InferNode(node);
}

bool Bypass(Graph& graph, Node& node, Value* value) {
  Value* output = node.output();
  if (output == value) return false;
  const bool named = graph.IsOutput(output);
  if (named && (value->producer == nullptr || value->producer->graph != &graph || graph.IsOutput(value))) return false;
  graph.ReplaceUses(output, value);
  const std::string name = output->name;
  const Origin origin = output->origin;
  graph.RemoveNode(&node);
  if (named) {
    graph.Rename(value, name);
    if (origin.known()) value->origin = origin;
  }
  return true;
}

std::optional<std::vector<int64_t>> ReshapeTarget(const Shape& data, const Shape& shape) {
  std::vector<int64_t> target;
  bool inferred = false, zero = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].IsKnown()) {
      zero |= shape[i].value() == 0;
      target.push_back(shape[i].value());
    } else if (i < data.size() && data[i] == shape[i]) {
      target.push_back(0);
    } else if (!inferred) {
      inferred = true;
      target.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  // A size that is 0 would be read as "copy".
  if (zero) return std::nullopt;
  return target;
}

std::vector<int64_t> PermOf(const Node& transpose) {
  std::vector<int64_t> perm = transpose.attributes.Ints("perm");
  if (perm.empty() && transpose.input(0) != nullptr && transpose.input(0)->shape) {
    for (int64_t i = transpose.input(0)->rank() - 1; i >= 0; --i) perm.push_back(i);
  }
  return perm;
}

bool IsIdentityPerm(const std::vector<int64_t>& perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

std::vector<int64_t> Inverse(const std::vector<int64_t>& perm) {
  std::vector<int64_t> inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) inverse[perm[i]] = static_cast<int64_t>(i);
  return inverse;
}

std::vector<int64_t> Compose(const std::vector<int64_t>& first, const std::vector<int64_t>& second) {
  std::vector<int64_t> composed;
  for (int64_t axis : second) composed.push_back(first[axis]);
  return composed;
}

}  // namespace slipway
