#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

class FunctionRule final : public Rule {
 public:
  FunctionRule(std::string name, std::vector<OpKind> kinds, absl::StatusOr<bool> (*apply)(Graph&, Node&))
      : name_(std::move(name)), kinds_(std::move(kinds)), apply_(apply) {}
  std::string_view name() const override { return name_; }
  std::span<const OpKind> kinds() const override { return kinds_; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override { return apply_(graph, node); }

 private:
  std::string name_;
  std::vector<OpKind> kinds_;
  absl::StatusOr<bool> (*apply_)(Graph&, Node&);
};

}  // namespace

Value* Expansion::Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes) {
  if (!failure_.ok()) return nullptr;
  const absl::StatusOr<Node*> added = AddInferred(
      graph_, kind, std::move(inputs), Base() + "/" + std::string(Name(kind)), std::move(attributes), &node_);
  if (!added.ok()) {
    failure_ = added.status();
    return nullptr;
  }
  return (*added)->output();
}

Value* Expansion::Number(double number) { return Constant(Tensor::Scalar(static_cast<float>(number))); }

Value* Expansion::Constant(Tensor tensor) { return graph_.AddConstant(Base() + "/constant", std::move(tensor)); }

std::string Expansion::Base() const {
  for (const Value* output : node_.outputs) {
    if (output != nullptr) return output->name;
  }
  return "";
}

absl::StatusOr<bool> Expansion::Become(OpKind kind, std::vector<Value*> inputs, Attributes attributes) {
  RETURN_IF_ERROR(failure_);
  RETURN_IF_ERROR(Rewrite(graph_, node_, kind, std::move(inputs), std::move(attributes)));
  return true;
}

std::unique_ptr<Rule> MakeRule(std::string name, std::vector<OpKind> kinds,
                               absl::StatusOr<bool> (*apply)(Graph&, Node&)) {
  return std::make_unique<FunctionRule>(std::move(name), std::move(kinds), apply);
}

Attributes With(std::string name, AttributeValue value) {
  Attributes attributes;
  attributes.Set(name, std::move(value));
  return attributes;
}

absl::Status SeparateOutputs(Graph& graph) {
  absl::flat_hash_set<const Value*> seen;
  const std::vector<Value*> outputs = graph.outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    Value* value = outputs[i];
    if (seen.insert(value).second && value->producer != nullptr) continue;
    const std::string name = value->name;
    const bool input = !value->IsConstant() && value->producer == nullptr;
    if (!input && value->producer == nullptr) graph.Rename(value, name + "/value");
    ASSIGN_OR_RETURN(Node* const copy, AddInferred(graph, OpKind::kIdentity, {value}, name));
    copy->output()->origin = value->origin;
    graph.ReplaceOutput(i, copy->output());
  }
  return absl::OkStatus();
}

}  // namespace slipway::tflite
