#include "convert/import/onnx/node_order.h"

#include <queue>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/base/error.h"

namespace slipway::onnx_import {
namespace {

// Collects what nodes read; one for all nodes, so that each costs what it holds.
class NameReader {
 public:
  const std::vector<std::string_view>& Of(const NodeView& node) {
    found_.clear();
    Collect(node);
    return found_;
  }

 private:
  void Read(std::string_view name) {
    if (name.empty()) return;
    if (const auto hidden = hidden_.find(name); hidden == hidden_.end() || hidden->second == 0) found_.push_back(name);
  }

  // What an inner graph defines hides what has the same name outside.
  void Hide(const GraphView& graph, int by) {
    for (const ValueInfoView& input : graph.inputs) hidden_[input.name] += by;
    for (const TensorView& tensor : graph.initializers) hidden_[tensor.name] += by;
    for (const NodeView& node : graph.nodes) {
      for (std::string_view output : node.outputs) hidden_[output] += by;
    }
  }

  void Collect(const NodeView& node) {
    for (std::string_view input : node.inputs) Read(input);
    for (const AttributeView& attribute : node.attributes) {
      if (attribute.g == nullptr) continue;
      Hide(*attribute.g, 1);
      for (const NodeView& inner : attribute.g->nodes) Collect(inner);
      for (const ValueInfoView& output : attribute.g->outputs) Read(output.name);
      Hide(*attribute.g, -1);
    }
  }

  absl::flat_hash_map<std::string_view, int> hidden_;  // how many graphs around the reader define the name
  std::vector<std::string_view> found_;
};

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

std::vector<std::string_view> NamesRead(const NodeView& node) { return NameReader().Of(node); }

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
  NameReader reader;
  absl::flat_hash_map<std::string_view, size_t> producers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (std::string_view output : nodes[i].outputs) {
      if (!output.empty()) producers.emplace(output, i);  // a second definition is reported where it is made
    }
  }
  std::vector<std::vector<size_t>> consumers(nodes.size());
  std::vector<size_t> waiting(nodes.size(), 0);
  bool sorted = true;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const std::string_view name : reader.Of(nodes[i])) {
      const auto producer = producers.find(name);
      if (producer == producers.end()) continue;
      sorted &= producer->second < i;
      consumers[producer->second].push_back(i);
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
