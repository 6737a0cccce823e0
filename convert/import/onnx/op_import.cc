#include "convert/import/onnx/op_import.h"

#include <algorithm>
#include <map>
#include <utility>

#include "convert/import/onnx/onnx_import.h"
#include "convert/passes/shapes.h"

namespace slipway::onnx_import {
namespace {

// Types and shapes known so far help later upgrades; what contradicts here is reported by InferShapes after the import.
void InferQuietly(Node& node) { (void)InferNode(node); }

}  // namespace

void OpContext::Emit(OpKind op, std::vector<Value*> op_inputs, Attributes op_attributes) {
  while (!op_inputs.empty() && op_inputs.back() == nullptr) op_inputs.pop_back();
  std::vector<std::string> outputs = output_names;
  for (std::string& name : outputs) {
    if (name.empty()) name = names_.Fresh(output_names.empty() ? "unused" : output_names.front() + "_unused");
  }
  Node* node = graph.AddNode(op, std::move(op_inputs), std::move(outputs), std::move(op_attributes));
  InferQuietly(*node);
  results = node->outputs;
}

void OpContext::EmitOutput(size_t i, OpKind op, std::vector<Value*> op_inputs, Attributes op_attributes) {
  Node* node = graph.AddNode(op, std::move(op_inputs), {output_names[i]}, std::move(op_attributes));
  InferQuietly(*node);
  results.resize(output_names.size(), nullptr);
  results[i] = node->outputs[0];
}

Value* OpContext::Make(OpKind op, std::vector<Value*> op_inputs, Attributes op_attributes) {
  const std::string base = (output_names.empty() ? std::string() : output_names.front()) + "_" + std::string(Name(op));
  Node* node = graph.AddNode(op, std::move(op_inputs), {names_.Fresh(base)}, std::move(op_attributes));
  InferQuietly(*node);
  return node->outputs[0];
}

Value* OpContext::Constant(std::string_view what, Tensor tensor) {
  const std::string base = (output_names.empty() ? std::string() : output_names.front()) + "_" + std::string(what);
  return graph.AddConstant(names_.Fresh(base), std::move(tensor));
}

void OpContext::SetInput(size_t i, Value* value) {
  if (inputs.size() <= i) inputs.resize(i + 1, nullptr);
  inputs[i] = value;
}

void OpContext::AttributeToInput(std::string_view attribute, size_t i) {
  if (!attributes.Has(attribute)) return;
  SetInput(i, Constant(attribute, Tensor::Int64s(attributes.Ints(attribute))));
  attributes.Erase(attribute);
}

namespace {

using Key = std::pair<std::string_view, std::string_view>;

const std::map<Key, const OpImport*>& Table() {
  static const auto* const table = [] {
    auto* map = new std::map<Key, const OpImport*>();
    for (const auto family :
         {ConvOps(), PoolOps(), GemmOps(), NormalizationOps(), ActivationOps(), SoftmaxOps(), ElementwiseOps(),
          LogicOps(), ReduceOps(), ReshapeOps(), SliceOps(), GatherOps(), PadOps(), ResizeOps(), CastOps(), ShapeOps(),
          QuantizeOps(), RecurrentOps(), ControlFlowOps()}) {
      for (const OpImport& row : family) map->emplace(Key(row.domain, row.name), &row);
    }
    return map;
  }();
  return *table;
}

}  // namespace

const OpImport* FindOpImport(std::string_view domain, std::string_view name) {
  const auto found = Table().find(Key(domain, name));
  return found == Table().end() ? nullptr : found->second;
}

}  // namespace slipway::onnx_import

namespace slipway {

std::vector<std::string> ImportedOnnxOps() {
  std::vector<std::string> names;
  for (const auto& [key, row] : onnx_import::Table())
    names.push_back(key.first.empty() ? std::string(key.second) : fmt::format("{}::{}", key.first, key.second));
  std::ranges::sort(names);
  return names;
}

}  // namespace slipway
