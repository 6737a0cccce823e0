#include "convert/inspect/gaps.h"

#include <map>
#include <set>

#include "common/base/error.h"
#include "convert/passes/shapes.h"

namespace slipway::inspect {
namespace {

bool IsKnown(const Value& value) { return value.type != DataType::kUndefined && value.shape.has_value(); }

template <typename Visit>
void ForEachBody(const Node& node, const Visit& visit) {
  for (const auto& [name, attribute] : node.attributes.all()) {
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute)) visit(**graph);
  }
}

// Whether something that the node reads, in its graphs too, is of no known type.
bool FollowsGap(const Node& node) {
  for (const Value* input : node.inputs) {
    if (input != nullptr && input->type == DataType::kUndefined) return true;
  }
  bool follows = false;
  ForEachBody(node, [&](const Graph& body) {
    for (const auto& inner : body.nodes()) follows = follows || FollowsGap(*inner);
    for (const Value* output : body.outputs()) follows = follows || output->type == DataType::kUndefined;
  });
  return follows;
}

// What follows a gap is unknown, though its type may be sure: whole numbers are sizes as a rule, and would fold away in the model as it was meant.
void Forget(Node& node) {
  for (Value* output : node.outputs) {
    if (output == nullptr || IsFloat(output->type)) continue;
    output->type = DataType::kUndefined;
    output->shape = std::nullopt;
  }
}

void CollectValues(const Graph& graph, std::set<const Value*>& values) {
  for (const Value* value : graph.values()) values.insert(value);
  for (const auto& node : graph.nodes()) {
    ForEachBody(*node, [&](const Graph& body) { CollectValues(body, values); });
  }
}

// Every value from outside of `top` becomes its own: a constant or an input.
void Detach(Graph& graph, Graph& top, const std::set<const Value*>& own, std::map<Value*, Value*>& captured) {
  for (const auto& node : graph.nodes()) {
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      Value* value = node->inputs[i];
      if (value == nullptr || own.contains(value)) continue;
      Value*& twin = captured[value];
      if (twin == nullptr) {
        twin = value->constant ? top.AddConstant(value->name, *value->constant)
                               : top.AddInput(value->name, value->type, value->shape.value_or(Shape()));
        twin->shape = value->shape;
      }
      graph.SetInput(node.get(), i, twin);
    }
    ForEachBody(*node, [&](Graph& body) { Detach(body, top, own, captured); });
  }
}

}  // namespace

bool IsKnown(const Node& node) {
  for (const auto* values : {&node.inputs, &node.outputs}) {
    for (const Value* value : *values) {
      if (value != nullptr && !IsKnown(*value)) return false;
    }
  }
  return true;
}

void Cut(Node* node) {
  Graph* graph = node->graph;
  Graph* top = graph;
  while (top->parent != nullptr) top = top->parent;
  for (Value* input : node->inputs) {
    if (graph == top && input != nullptr && input->producer != nullptr && !top->IsOutput(input)) top->AddOutput(input);
  }
  for (Value* output : node->outputs) {
    if (output == nullptr) continue;
    Value* stand_in = top->AddInput(output->name, output->type, output->shape.value_or(Shape()));
    stand_in->shape = output->shape;
    stand_in->origin = output->origin;
    graph->ReplaceUses(output, stand_in);
  }
  graph->RemoveNode(node);
}

Node* FindNamed(const Graph& graph, std::string_view message) {
  Node* found = nullptr;
  for (const auto& node : graph.nodes()) {
    Node* inside = nullptr;
    ForEachBody(*node, [&](const Graph& body) {
      if (inside == nullptr) inside = FindNamed(body, message);
    });
    if (inside != nullptr) return inside;
    // Unnamed nodes of one kind differ in their outputs only, which the description ends with.
    if (found == nullptr && message.find(Describe(*node)) != std::string_view::npos) found = node.get();
  }
  return found;
}

void InferAround(Graph& graph, const std::function<void(const absl::Status&)>& refuse) {
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  for (Node* node : nodes) {
    const bool gap = FollowsGap(*node);
    absl::Status status = InferNode(*node);
    // A fault inside of it: cut there, and look at the rest.
    while (!status.ok() && !gap) {
      Node* inside = nullptr;
      ForEachBody(*node, [&](const Graph& body) {
        if (inside == nullptr) inside = FindNamed(body, Message(status));
      });
      if (inside == nullptr) break;
      refuse(Annotate(status, Describe(*node)));
      for (Value* output : inside->outputs) {
        if (output == nullptr) continue;
        output->type = DataType::kUndefined;
        output->shape = std::nullopt;
      }
      Cut(inside);
      status = FollowsGap(*node) ? absl::OkStatus() : InferNode(*node);
    }
    if (gap || FollowsGap(*node)) Forget(*node);
    if (status.ok()) continue;
    if (!gap) refuse(status);
    for (Value* output : node->outputs) {
      if (output == nullptr) continue;
      output->type = DataType::kUndefined;
      output->shape = std::nullopt;
    }
    Cut(node);
  }
}

std::vector<Body> BodiesOf(const Node& node) {
  std::vector<Body> bodies;
  ForEachBody(node, [&](const Graph& body) {
    std::unique_ptr<Graph> own = body.Clone();
    own->parent = nullptr;
    std::set<const Value*> values;
    CollectValues(*own, values);
    std::map<Value*, Value*> captured;
    Detach(*own, *own, values, captured);
    // Outputs that come straight from outside say nothing of the body.
    for (size_t i = 0; i < own->outputs().size(); ++i) {
      if (!values.contains(own->outputs()[i])) own->ReplaceOutput(i, nullptr);
    }
    bodies.push_back({Describe(node), own->Clone()});
  });
  return bodies;
}

std::vector<Body> CutUnknown(std::unique_ptr<Graph>& graph) {
  std::vector<Body> bodies;
  std::vector<Node*> unknown;
  for (const auto& node : graph->nodes()) {
    if (!IsKnown(*node) || FollowsGap(*node)) unknown.push_back(node.get());
  }
  for (Node* node : unknown) {
    for (Body& body : BodiesOf(*node)) bodies.push_back(std::move(body));
    Cut(node);
  }
  for (size_t i = 0; i < graph->outputs().size(); ++i) {
    if (!IsKnown(*graph->outputs()[i])) graph->ReplaceOutput(i, nullptr);
  }
  graph = graph->Clone();
  std::vector<Value*> inputs = graph->inputs();
  for (Value* input : inputs) {
    if (!IsKnown(*input) && input->uses.empty()) graph->RemoveInput(input);
  }
  return bodies;
}

}  // namespace slipway::inspect
