#include "convert/ir/graph.h"

namespace slipway {
namespace {

using ValueMap = absl::flat_hash_map<const Value*, Value*>;

void CopyProperties(const Value& from, Value& to) {
  to.type = from.type;
  to.shape = from.shape;
  to.origin = from.origin;
  to.quantization = from.quantization;
}

std::unique_ptr<Graph> CloneInto(const Graph& source, Graph* parent, ValueMap& map) {
  auto copy = std::make_unique<Graph>();
  copy->name = source.name;
  copy->parent = parent;
  copy->folded_bytes = source.folded_bytes;
  for (const Value* value : source.values()) {
    if (!value->IsConstant()) continue;
    map[value] = copy->AddConstant(value->name, *value->constant);
    CopyProperties(*value, *map[value]);
  }
  for (const Value* input : source.inputs()) {
    map[input] = copy->AddInput(input->name, input->type, input->shape.value_or(Shape()));
    CopyProperties(*input, *map[input]);
  }
  auto mapped = [&](Value* value) -> Value* {
    if (value == nullptr) return nullptr;
    auto found = map.find(value);
    return found != map.end() ? found->second : value;
  };
  for (const auto& node : source.nodes()) {
    std::vector<Value*> inputs;
    for (Value* input : node->inputs) inputs.push_back(mapped(input));
    std::vector<std::string> names;
    for (const Value* output : node->outputs) names.push_back(output != nullptr ? output->name : "absent");
    Node* twin = copy->AddNode(node->kind, std::move(inputs), std::move(names), node->attributes);
    twin->name = node->name;
    std::vector<Value*> absent;
    for (size_t i = 0; i < node->outputs.size(); ++i) {
      if (node->outputs[i] == nullptr) {
        absent.push_back(twin->outputs[i]);
        continue;
      }
      map[node->outputs[i]] = twin->outputs[i];
      CopyProperties(*node->outputs[i], *twin->outputs[i]);
    }
    for (Value* value : absent) copy->DropOutput(value);
    for (const auto& [attribute, value] : node->attributes.all()) {
      if (const auto* inner = std::get_if<std::shared_ptr<Graph>>(&value)) {
        twin->attributes.Set(attribute, std::shared_ptr<Graph>(CloneInto(**inner, copy.get(), map)));
      }
    }
  }
  // Outputs that were replaced by nothing are gone.
  for (Value* output : source.outputs()) {
    if (output != nullptr) copy->AddOutput(mapped(output));
  }
  return copy;
}

}  // namespace

std::unique_ptr<Graph> Graph::Clone(ValueMap* map) const {
  ValueMap local;
  return CloneInto(*this, parent, map != nullptr ? *map : local);
}

}  // namespace slipway
