#include "convert/import/onnx/node_order.h"

#include <map>
#include <queue>
#include <string>

#include "common/base/error.h"

namespace slipway::onnx_import {
namespace {

using Producers = std::map<std::string_view, size_t>;

// Nodes whose outputs `node` reads, in its sub-graphs too (a name that a sub-graph defines anew costs only an order, no fault).
void CollectDependencies(const NodeView& node, const Producers& producers, std::vector<size_t>& dependencies) {
  const auto add = [&](std::string_view name) {
    const auto found = name.empty() ? producers.end() : producers.find(name);
    if (found != producers.end()) dependencies.push_back(found->second);
  };
  for (std::string_view input : node.inputs) add(input);
  for (const AttributeView& attribute : node.attributes) {
    if (attribute.g == nullptr) continue;
    Producers outer = producers;
    for (const NodeView& inner : attribute.g->nodes) {
      for (std::string_view output : inner.outputs) outer.erase(output);
    }
    for (const ValueInfoView& input : attribute.g->inputs) outer.erase(input.name);
    for (const NodeView& inner : attribute.g->nodes) CollectDependencies(inner, outer, dependencies);
    for (const ValueInfoView& output : attribute.g->outputs) {
      const auto found = outer.find(output.name);
      if (found != outer.end()) dependencies.push_back(found->second);
    }
  }
}

// Of the nodes that wait for ever, those that something on a cycle waits for: not those that only stand behind one.
std::vector<size_t> WithoutDeadEnds(const std::vector<std::vector<size_t>>& consumers,
                                    const std::vector<size_t>& waiting) {
  std::vector<std::vector<size_t>> producers(consumers.size());
  std::vector<size_t> readers(consumers.size(), 0), ends, left;
  for (size_t i = 0; i < consumers.size(); ++i) {
    if (waiting[i] == 0) continue;
    for (size_t consumer : consumers[i]) {
      ++readers[i];
      producers[consumer].push_back(i);
    }
    if (readers[i] == 0) ends.push_back(i);
  }
  std::vector<bool> gone(consumers.size(), false);
  while (!ends.empty()) {
    const size_t end = ends.back();
    ends.pop_back();
    gone[end] = true;
    for (size_t producer : producers[end]) {
      if (--readers[producer] == 0) ends.push_back(producer);
    }
  }
  for (size_t i = 0; i < consumers.size(); ++i) {
    if (waiting[i] != 0 && !gone[i]) left.push_back(i);
  }
  return left;
}

}  // namespace

std::string OpName(const NodeView& node) {
  return node.domain.empty() ? std::string(node.op_type) : fmt::format("{}::{}", node.domain, node.op_type);
}

std::string Describe(const NodeView& node) {
  std::string text = OpName(node);
  if (!node.name.empty()) text += fmt::format(" '{}'", node.name);
  if (!node.outputs.empty()) text += fmt::format(" (output '{}')", node.outputs.front());
  return text;
}

absl::Status OnCycle(const NodeView& node) {
  return InvalidArgument("{} is on a cycle: it needs its own result; the graph cannot be computed", Describe(node));
}

absl::StatusOr<std::vector<size_t>> NodeOrder(const std::vector<NodeView>& nodes, std::vector<size_t>* cyclic) {
  Producers producers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (std::string_view output : nodes[i].outputs) {
      if (!output.empty()) producers.emplace(output, i);  // a second definition is reported where it is made
    }
  }
  std::vector<std::vector<size_t>> consumers(nodes.size());
  std::vector<size_t> waiting(nodes.size(), 0);
  bool sorted = true;
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::vector<size_t> dependencies;
    CollectDependencies(nodes[i], producers, dependencies);
    for (size_t producer : dependencies) {
      sorted &= producer < i;
      consumers[producer].push_back(i);
      ++waiting[i];
    }
  }
  std::vector<size_t> order;
  order.reserve(nodes.size());
  if (sorted) {
    for (size_t i = 0; i < nodes.size(); ++i) order.push_back(i);
    return order;
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    const size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (size_t consumer : consumers[next]) {
      if (--waiting[consumer] == 0) ready.push(consumer);
    }
  }
  if (order.size() == nodes.size()) return order;
  const std::vector<size_t> on_cycles = WithoutDeadEnds(consumers, waiting);
  if (cyclic == nullptr) return OnCycle(nodes[on_cycles.front()]);
  *cyclic = on_cycles;
  return order;
}

}  // namespace slipway::onnx_import
