// The graph: values, nodes, constants. It knows no format.
//
// Ownership: a Graph owns its nodes and values; pointers to them stay valid until they are removed. Not thread-safe.
// Form: nodes are kept in an order in which producers come before consumers (Validate() checks it); every value has one
// producer: a node, the graph's inputs, or a constant.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "convert/ir/op.h"
#include "convert/ir/tensor.h"
#include "convert/ir/types.h"

namespace slipway {

class Graph;
struct Node;

// Where a value's numbers come from: value = transpose(source tensor, permutation) × scale along channel_axis.
// Kept by every pass; one that cannot clears it. Per-layer parity stands on it.
struct Origin {
  std::string source;                // the tensor's name in the source model; empty: unknown
  std::vector<int64_t> permutation;  // empty: identity
  std::vector<float> channel_scale;  // empty: 1
  int64_t channel_axis = 1;          // axis of the value that channel_scale runs along

  bool known() const { return !source.empty(); }
};

// Affine quantisation of a value: real = (q - zero_point) × scale. One scale: per tensor; several: along `axis`.
struct Quantization {
  DataType type = DataType::kInt8;
  std::vector<float> scales;
  std::vector<int64_t> zero_points;
  int64_t axis = -1;
};

struct Use {
  Node* node;
  int input;
  bool operator==(const Use&) const = default;
};

// What passes look at most stands first: a large graph does not fit the processor's caches.
struct Value {
  std::string
      name;  // unique in its graph and the graphs it encloses; any characters (formats rename for themselves); changed by Graph::Rename only
  Node* producer = nullptr;  // nullptr: graph input or constant
  int output_index = 0;
  DataType type = DataType::kUndefined;
  std::vector<Use> uses;       // by nodes of this graph and of enclosed ones; graph outputs are not uses
  Graph* graph = nullptr;      // nullptr: removed (KeepRemoved)
  std::optional<Shape> shape;  // nullopt: rank unknown
  std::optional<Tensor> constant;
  Origin origin;
  std::optional<Quantization> quantization;
  std::list<std::unique_ptr<Value>>::iterator position;  // the graph's
  int unread_slot = -1;                                  // the graph's

  bool IsConstant() const { return constant.has_value(); }
  int64_t rank() const { return shape ? static_cast<int64_t>(shape->size()) : -1; }
};

using AttributeValue = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                                    std::vector<std::string>, Tensor, std::shared_ptr<Graph>>;

// Attributes by ONNX's names. Absent means the op's documented default; getters take that default.
class Attributes {
 public:
  bool Has(std::string_view name) const { return values_.find(name) != values_.end(); }
  int64_t Int(std::string_view name, int64_t fallback) const;
  float Float(std::string_view name, float fallback) const;
  std::string String(std::string_view name, std::string_view fallback) const;
  std::vector<int64_t> Ints(std::string_view name, std::vector<int64_t> fallback = {}) const;
  std::vector<float> Floats(std::string_view name, std::vector<float> fallback = {}) const;
  const Tensor* TensorOf(std::string_view name) const;
  Graph* Subgraph(std::string_view name) const;
  void Set(std::string_view name, AttributeValue value) { values_[std::string(name)] = std::move(value); }
  void Erase(std::string_view name);
  const std::map<std::string, AttributeValue, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, AttributeValue, std::less<>> values_;
};

struct Node {
  OpKind kind;
  std::string name;             // may be empty; for messages and layer names
  std::vector<Value*> inputs;   // nullptr: an optional input left out (never trailing)
  std::vector<Value*> outputs;  // nullptr: an optional output nobody reads (never trailing)
  Attributes attributes;
  Graph* graph = nullptr;                               // nullptr: removed (KeepRemoved)
  std::list<std::unique_ptr<Node>>::iterator position;  // the graph's
  int unread_slot = -1;                                 // the graph's
  bool waiting = false;                                 // the rule driver's: in its worklist

  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  Value* output(size_t i = 0) const { return i < outputs.size() ? outputs[i] : nullptr; }
  // The constant behind input i; nullptr if absent or not constant.
  const Tensor* constant(size_t i) const {
    const Value* value = input(i);
    return value != nullptr && value->constant ? &*value->constant : nullptr;
  }
};

// "Conv 'features.0' (output 'x')": how messages name a node.
std::string Describe(const Node& node);

class Graph {
 public:
  Graph() = default;
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::string name;

  // --- building. A name that is taken gets a suffix ("_1", "_2", …); an empty one is made up.
  Value* AddInput(std::string name, DataType type, Shape shape);
  Value* AddConstant(std::string name, Tensor tensor);
  // A node at the end, or before `before`. Inputs are linked. Outputs are new values named `output_names`; types and
  // shapes are left for InferShapes (passes/shapes.h), which rewriting code calls by AddInferred() there.
  Node* AddNode(OpKind kind, std::vector<Value*> inputs, std::vector<std::string> output_names,
                Attributes attributes = {}, Node* before = nullptr);
  void AddOutput(Value* value) { outputs_.push_back(value); }

  // --- rewriting; uses are kept in step.
  void SetInput(Node* node, size_t index, Value* value);  // value may be nullptr
  void ReplaceUses(Value* from, Value* to);  // in nodes, enclosed graphs and outputs; types are not checked
  void ReplaceOutput(size_t index, Value* value);
  void MakeConstant(Value* value,
                    Tensor tensor);  // detaches it from its producer (whose output becomes nullptr) or the inputs
  void RemoveNode(Node* node);       // its outputs must be unused
  void RemoveInput(Value* input);    // must be unused
  // Drops nodes whose outputs nobody reads, then unread constants. Inputs stay. Returns how many nodes went. Looks only at what
  // changed since it was last called, but for graphs with control flow.
  int RemoveDead();
  void MoveBefore(Node* node, Node* before);
  // Sorts nodes so that producers come first. INVALID_ARGUMENT naming a node on a cycle.
  absl::Status SortTopologically();
  void Rename(Value* value, std::string name);
  // Makes an unread output of a node absent (nullptr in its outputs).
  void DropOutput(Value* value);

  // --- reading
  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  const std::list<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  Value* Find(std::string_view value_name) const;  // nullptr if none
  size_t node_count() const { return nodes_.size(); }
  // Constants and all others, in the order of their making.
  std::vector<Value*> values() const;
  bool IsOutput(const Value* value) const;
  // False: no node holds a graph.
  bool MayHoldGraphs() const { return has_control_flow_; }
  // Enclosing graph of a sub-graph; nullptr at the top.
  Graph* parent = nullptr;
  // Bytes that folding has added to the constants so far; folding stops at a bound (passes/fold/constants.cc).
  int64_t folded_bytes = 0;

  // --- watching, for the rule driver
  // While one lives, nodes and values that the graph removes stay readable (`graph` is nullptr; names, and which values a node made, remain), so that a
  // pointer can be asked whether its node is still there.
  class KeepRemoved {
   public:
    explicit KeepRemoved(Graph& graph) : graph_(graph) { ++graph_.keepers_; }
    ~KeepRemoved();
    KeepRemoved(const KeepRemoved&) = delete;
    KeepRemoved& operator=(const KeepRemoved&) = delete;

   private:
    Graph& graph_;
  };
  // Calls `call` once, just before the next change of which node reads or makes what; an empty one calls off the last.
  void BeforeNextChange(std::function<void()> call) { before_change_ = std::move(call); }

  // Links, order, arities, unique names. INTERNAL naming what is wrong: a bug in a pass.
  absl::Status Validate() const;
  // A deep copy; tensors are shared. `map`, if given, receives original → copy.
  std::unique_ptr<Graph> Clone(absl::flat_hash_map<const Value*, Value*>* map = nullptr) const;

 private:
  Value* NewValue(std::string name);
  void RemoveValue(Value* value);
  std::string FreeName(std::string name);
  void DropUses(Node& node);
  void Changing();
  // Remembers what RemoveDead must look at: a value that may have lost its last reader, a node that may have lost its last read output.
  static void MayBeUnread(Value& value);
  static void MayBeUnread(Node& node);
  int SweepDead();
  void DropUnreadOutputs(Node& node, const std::function<bool(const Value*)>& unread);

  std::list<std::unique_ptr<Node>> nodes_, removed_nodes_;
  std::list<std::unique_ptr<Value>> values_, removed_values_;
  absl::flat_hash_map<absl::string_view, Value*> by_name_;  // the keys are the values' own names
  std::vector<Node*> unread_nodes_;
  std::vector<Value*> unread_constants_;
  std::function<void()> before_change_;
  int keepers_ = 0;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  int64_t next_suffix_ = 0;
  bool has_control_flow_ = false;  // a node was added that may hold graphs: uses in them are looked for
};

// A model: the graph and what the source said about itself.
struct Model {
  std::unique_ptr<Graph> graph;
  int source_opset = 0;  // of the ONNX file; 0: not from ONNX
  std::string producer;  // "pytorch 2.13.0", "" if unknown
};

}  // namespace slipway
