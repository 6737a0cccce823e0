#include "convert/passes/shapes.h"

#include <array>

#include "convert/passes/passes.h"
#include "convert/passes/shapes/infer.h"

namespace slipway {
namespace shapes {
namespace {

using Table = std::array<Function, static_cast<size_t>(OpKind::kCount)>;

const Table& Functions() {
  static const Table table = [] {
    Table functions{};
    for (const std::span<const Entry> family :
         {ConvFunctions(), PoolFunctions(), GemmFunctions(), NormalizationFunctions(), ElementwiseFunctions(),
          ReduceFunctions(), ReshapeFunctions(), MovementFunctions(), GatherFunctions(), ResizeFunctions(),
          SourceFunctions(), RecurrentFunctions(), ControlFlowFunctions()}) {
      for (const Entry& entry : family) functions[static_cast<size_t>(entry.kind)] = entry.infer;
    }
    return functions;
  }();
  return table;
}

bool IsFresh(const Dim& size) {
  std::vector<std::string> symbols;
  size.CollectSymbols(symbols);
  for (const std::string& symbol : symbols) {
    if (symbol.starts_with("?")) return true;
  }
  return false;
}

}  // namespace

std::optional<std::vector<Dim>> Inference::Values(size_t input) const {
  return Has(input) ? ShapeValue(*node.input(input)) : std::nullopt;
}

std::optional<std::vector<int64_t>> Inference::Numbers(size_t input) const {
  const std::optional<std::vector<Dim>> values = Values(input);
  return values ? StaticShape(*values) : std::nullopt;
}

absl::Status Inference::Set(size_t output, DataType type, Shape shape) {
  Value* value = node.output(output);
  if (value == nullptr) return absl::OkStatus();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].Overflows())
      return Error("axis {} of output {} would have more elements than can be counted", i, output);
    if (shape[i].IsKnown() && shape[i].value() < 0)
      return Error("output {} would have the shape {}", output, ToString(shape));
    if (value->shape && value->shape->size() == shape.size() && IsFresh(shape[i]) && IsFresh((*value->shape)[i])) {
      shape[i] = (*value->shape)[i];
    }
  }
  const std::optional<std::vector<int64_t>> sizes = StaticShape(shape);
  if (sizes && ElementCount(*sizes) < 0)
    return Error("output {} of shape {} has more elements than can be counted", output, ToString(shape));
  value->type = type;
  value->shape = std::move(shape);
  return absl::OkStatus();
}

absl::Status Inference::SetUnranked(size_t output, DataType type) {
  if (Value* value = node.output(output); value != nullptr) {
    value->type = type;
  }
  return absl::OkStatus();
}

absl::Status Inference::Unranked() {
  for (size_t i = 0; i < node.outputs.size(); ++i) RETURN_IF_ERROR(SetUnranked(i, type(0)));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Inference::Axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) return Error("axis {} of a tensor of rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

absl::StatusOr<std::vector<int64_t>> Inference::Axes(std::vector<int64_t> axes, int64_t rank) const {
  for (int64_t& axis : axes) {
    ASSIGN_OR_RETURN(axis, Axis(axis, rank));
  }
  return axes;
}

std::optional<Shape> Broadcast(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape out(rank);
  for (size_t i = 0; i < rank; ++i) {
    const Dim x = i < rank - a.size() ? Dim(1) : a[i - (rank - a.size())];
    const Dim y = i < rank - b.size() ? Dim(1) : b[i - (rank - b.size())];
    if (x == y || y == Dim(1)) {
      out[i] = x;
    } else if (x == Dim(1)) {
      out[i] = y;
    } else if (x.IsKnown() && y.IsKnown()) {
      return std::nullopt;
    } else if (x.IsKnown()) {
      out[i] = x;  // greater than 1 or 0: the other is that, or 1
    } else if (y.IsKnown()) {
      out[i] = y;
    } else {
      out[i] = Dim::Unknown();
    }
  }
  return out;
}

}  // namespace shapes

absl::Status InferNode(Node& node) {
  const shapes::Function infer = shapes::Functions()[static_cast<size_t>(node.kind)];
  if (infer == nullptr) return Internal("{}: the op has no shape inference", Describe(node));
  const OpInfo& info = Info(node.kind);
  const int count = static_cast<int>(node.inputs.size());
  // A Loop may lack both its count and its condition.
  const int least = node.kind == OpKind::kLoop ? 0 : info.min_inputs;
  if (count < least || (info.max_inputs >= 0 && count > info.max_inputs)) {
    return InvalidArgument("{}: {} inputs; it takes {}", Describe(node), count,
                           info.max_inputs == info.min_inputs ? fmt::format("{}", info.min_inputs)
                           : info.max_inputs < 0              ? fmt::format("at least {}", info.min_inputs)
                                                 : fmt::format("{} to {}", info.min_inputs, info.max_inputs));
  }
  for (int i = 0; i < least; ++i) {
    if (node.inputs[i] == nullptr) return InvalidArgument("{}: input {} is missing", Describe(node), i);
  }
  shapes::Inference inference(node);
  return infer(inference);
}

absl::StatusOr<Node*> AddInferred(Graph& graph, OpKind kind, std::vector<Value*> inputs, std::string output_name,
                                  Attributes attributes, Node* before) {
  Node* node = graph.AddNode(kind, std::move(inputs), {std::move(output_name)}, std::move(attributes), before);
  RETURN_IF_ERROR(InferNode(*node));
  return node;
}

namespace {

class InferShapes final : public Pass {
 public:
  std::string_view name() const override { return "infer-shapes"; }
  absl::StatusOr<bool> Run(Graph& graph) const override {
    bool changed = false;
    for (const auto& node : graph.nodes()) {
      std::vector<std::pair<DataType, std::optional<Shape>>> before;
      for (const Value* output : node->outputs) {
        before.emplace_back(output != nullptr ? output->type : DataType::kUndefined,
                            output != nullptr ? output->shape : std::nullopt);
      }
      RETURN_IF_ERROR(InferNode(*node));
      for (size_t i = 0; i < node->outputs.size(); ++i) {
        const Value* output = node->outputs[i];
        changed |= output != nullptr && (output->type != before[i].first || output->shape != before[i].second);
      }
    }
    return changed;
  }
};

void ForgetShapes(Graph& graph) {
  for (const auto& node : graph.nodes()) {
    for (Value* output : node->outputs) {
      if (output != nullptr) output->shape = std::nullopt;
    }
    for (const auto& [name, attribute] : node->attributes.all()) {
      if (const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&attribute)) ForgetShapes(**subgraph);
    }
  }
}

}  // namespace

std::unique_ptr<Pass> MakeInferShapes() { return std::make_unique<InferShapes>(); }

absl::Status BindSymbols(Graph& graph, const std::map<std::string, int64_t>& sizes) {
  for (const auto& [symbol, size] : sizes) {
    if (size < 0) return InvalidArgument("size {} for '{}' is negative", size, symbol);
  }
  for (Value* input : graph.inputs()) {
    if (!input->shape) continue;
    for (Dim& size : *input->shape) {
      if (const std::optional<int64_t> number = size.Evaluate(sizes)) size = Dim(*number);
    }
  }
  ForgetShapes(graph);
  return MakeInferShapes()->Run(graph).status();
}

}  // namespace slipway
