// The nodes of ONNX graphs and functions → an IR graph: names resolved, functions inlined, sub-graphs built.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convert/import/edits.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/import/onnx/op_import.h"
#include "convert/import/source.h"
#include "convert/ir/graph.h"

namespace slipway::onnx_import {

class GraphImporter : public NameSource {
 public:
  // `refused` may be null: ImportOnnx (onnx_import.h).
  GraphImporter(const ModelView& model, const Source& source, std::vector<ImportRefusal>* refused);

  // The model's graph. Errors name the node or tensor.
  absl::StatusOr<std::unique_ptr<Graph>> Import();
  // What the file states of these tensors, as far as it does.
  DeclaredTypes Declared(const std::vector<std::string>& names);

  std::string Fresh(std::string_view base) override;

 private:
  static constexpr int64_t kMaxInlined =
      100'000;                              // nodes of functions: functions that call functions multiply without end
  static constexpr int kMaxNamedDepth = 3;  // messages name so many calls around what is wrong

  // What a body of nodes sees: the names in it, those around it, and in a function its attributes' values.
  struct Scope {
    const Scope* parent = nullptr;  // names of an enclosing graph; functions have none
    Graph* graph = nullptr;
    OpsetImports opsets;
    std::string prefix;                                       // of inner names: "" in the model's graph
    std::map<std::string, std::string, std::less<>> renamed;  // a function's outputs → the caller's names
    std::map<std::string_view, const AttributeView*> bindings;
    bool in_function = false;
    int depth = 0;
    absl::flat_hash_map<std::string, Value*> values;

    Value* Find(std::string_view name) const;
  };

  absl::Status ReadNames(const GraphView& graph);
  absl::Status AddInputs(const GraphView& view, Scope& scope);
  absl::Status AddInput(const ValueInfoView& info, bool initialized, Scope& scope);
  absl::StatusOr<Shape> InputShape(const ValueInfoView& info);
  absl::Status CollectSizes(const GraphView& view);
  absl::Status AddInitializers(const GraphView& view, Scope& scope);
  absl::Status AddOutput(const ValueInfoView& info, Graph& graph, std::set<std::string_view>& seen, const Scope& scope);
  absl::Status AddNodes(const std::vector<NodeView>& nodes, Scope& scope);
  absl::Status AddNode(const NodeView& node, Scope& scope);
  // Goes on after an error where all are wanted: OK once it is noted.
  absl::Status Refuse(const absl::Status& status, const NodeView* node = nullptr);
  void AddPlaceholder(std::string_view name, Scope& scope);
  // In a refused node's place; what it reads stays alive.
  void AddPlaceholders(const NodeView& node, Scope& scope);
  absl::StatusOr<Tensor> Load(const TensorView& view);
  absl::Status AddConstantNode(const NodeView& node, Scope& scope);
  absl::Status InlineFunction(const FunctionView& function, const NodeView& node, Scope& scope);
  absl::StatusOr<Attributes> ReadAttributes(const NodeView& node, Scope& scope);
  absl::StatusOr<AttributeValue> ReadAttribute(const AttributeView& attribute, Scope& scope);
  absl::StatusOr<std::shared_ptr<Graph>> Subgraph(const GraphView& view, Scope& scope);
  absl::Status Define(std::string_view name, Value* value, Scope& scope);
  std::string ValueName(std::string_view name, const Scope& scope) const;
  const FunctionView* FindFunction(const NodeView& node) const;

  const ModelView& model_;
  const Source& source_;
  std::vector<ImportRefusal>* refused_;
  absl::flat_hash_map<std::pair<std::string_view, std::string_view>, const FunctionView*> functions_;  // domain, name
  std::vector<Value*> read_by_refused_;             // values of the model's graph
  std::set<std::string, std::less<>> missing_;      // external data files, once noted
  absl::flat_hash_set<std::string> names_;          // every name of the model and every made-up one
  absl::flat_hash_map<std::string, int> suffixes_;  // of made-up names: the last given
  std::map<std::string, int64_t> symbol_sizes_;     // by Source::shapes
  int64_t inlined_ = 0;
};

}  // namespace slipway::onnx_import
