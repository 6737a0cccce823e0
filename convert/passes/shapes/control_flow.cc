// If, Loop, Scan: inference goes into their graphs.
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferGraph(Graph& graph) {
  for (const auto& node : graph.nodes()) RETURN_IF_ERROR(InferNode(*node));
  return absl::OkStatus();
}

// What two branches have in common.
std::optional<Shape> Merge(const Value& a, const Value& b) {
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) return std::nullopt;
  Shape merged;
  for (size_t i = 0; i < a.shape->size(); ++i)
    merged.push_back((*a.shape)[i] == (*b.shape)[i] ? (*a.shape)[i] : Dim::Unknown());
  return merged;
}

absl::Status SetFrom(Inference& in, size_t output, DataType type, std::optional<Shape> shape) {
  return shape ? in.Set(output, type, *std::move(shape)) : in.SetUnranked(output, type);
}

absl::Status InferIf(Inference& in) {
  Graph *then_graph = in.node.attributes.Subgraph("then_branch"),
        *else_graph = in.node.attributes.Subgraph("else_branch");
  if (then_graph == nullptr || else_graph == nullptr) return in.Error("a branch is missing");
  RETURN_IF_ERROR(InferGraph(*then_graph));
  RETURN_IF_ERROR(InferGraph(*else_graph));
  const size_t count = in.node.outputs.size();
  if (then_graph->outputs().size() < count || else_graph->outputs().size() < count)
    return in.Error("a branch has too few outputs");
  for (size_t i = 0; i < count; ++i) {
    const Value *a = then_graph->outputs()[i], *b = else_graph->outputs()[i];
    if (a->type != b->type)
      return in.Error("output {} is {} in one branch, {} in the other", i, Name(a->type), Name(b->type));
    RETURN_IF_ERROR(SetFrom(in, i, a->type, Merge(*a, *b)));
  }
  return absl::OkStatus();
}

// A carried value keeps its type; its sizes may change from turn to turn.
void Carry(Value& inner, const Value* outer) {
  if (outer == nullptr) return;
  inner.type = outer->type;
  if (!inner.shape && outer->shape) inner.shape = UnknownShape(outer->shape->size());
}

// Body: (turn, condition, carried…) → (condition, carried…, scanned…).
absl::Status InferLoop(Inference& in) {
  Graph* body = in.node.attributes.Subgraph("body");
  if (body == nullptr) return in.Error("the body is missing");
  const size_t carried = in.node.inputs.size() > 2 ? in.node.inputs.size() - 2 : 0;
  if (body->inputs().size() != carried + 2 || body->outputs().size() < carried + 1 ||
      in.node.outputs.size() > body->outputs().size() - 1) {
    return in.Error("body of {} inputs and {} outputs for {} carried values", body->inputs().size(),
                    body->outputs().size(), carried);
  }
  body->inputs()[0]->type = DataType::kInt64;
  body->inputs()[0]->shape = Shape{};
  body->inputs()[1]->type = DataType::kBool;
  body->inputs()[1]->shape = Shape{};
  for (size_t i = 0; i < carried; ++i) Carry(*body->inputs()[i + 2], in.node.input(i + 2));
  RETURN_IF_ERROR(InferGraph(*body));
  for (size_t i = 0; i < in.node.outputs.size(); ++i) {
    const Value& inner = *body->outputs()[i + 1];
    if (i < carried) {
      const Value* start = in.node.input(i + 2);
      RETURN_IF_ERROR(SetFrom(in, i, inner.type, start != nullptr ? Merge(inner, *start) : std::nullopt));
    } else {
      std::optional<Shape> shape = inner.shape;
      if (shape) shape->insert(shape->begin(), Dim::Unknown());
      RETURN_IF_ERROR(SetFrom(in, i, inner.type, std::move(shape)));
    }
  }
  return absl::OkStatus();
}

// Body: (states…, slices…) → (states…, scanned…).
absl::Status InferScan(Inference& in) {
  Graph* body = in.node.attributes.Subgraph("body");
  const int64_t scanned = in.node.attributes.Int("num_scan_inputs", 0);
  const int64_t total = static_cast<int64_t>(in.node.inputs.size());
  if (body == nullptr || scanned < 1 || scanned > total || static_cast<int64_t>(body->inputs().size()) != total) {
    return in.Error("a body of as many inputs as the node is needed, and 1 ≤ num_scan_inputs ≤ {}", total);
  }
  const int64_t states = total - scanned;
  const std::vector<int64_t> axes = in.node.attributes.Ints("scan_input_axes", std::vector<int64_t>(scanned, 0));
  if (static_cast<int64_t>(axes.size()) != scanned)
    return in.Error("{} scan_input_axes for {} scan inputs", axes.size(), scanned);
  Dim steps = Dim::Unknown();
  for (int64_t i = 0; i < total; ++i) {
    Value& inner = *body->inputs()[i];
    if (i < states) {
      Carry(inner, in.node.input(i));
      continue;
    }
    inner.type = in.type(i);
    if (!in.HasShape(i)) continue;
    ASSIGN_OR_RETURN(const int64_t axis, in.Axis(axes[i - states], in.rank(i)));
    Shape slice = in.shape(i);
    steps = slice[axis];
    slice.erase(slice.begin() + axis);
    inner.shape = std::move(slice);
  }
  RETURN_IF_ERROR(InferGraph(*body));
  if (in.node.outputs.size() > body->outputs().size()) return in.Error("the body has too few outputs");
  const std::vector<int64_t> out_axes = in.node.attributes.Ints("scan_output_axes");
  for (size_t i = 0; i < in.node.outputs.size(); ++i) {
    const Value& inner = *body->outputs()[i];
    std::optional<Shape> shape = inner.shape;
    if (static_cast<int64_t>(i) >= states && shape) {
      const size_t at = i - states;
      ASSIGN_OR_RETURN(const int64_t axis,
                       in.Axis(at < out_axes.size() ? out_axes[at] : 0, static_cast<int64_t>(shape->size()) + 1));
      shape->insert(shape->begin() + axis, steps);
    }
    RETURN_IF_ERROR(SetFrom(in, i, inner.type, std::move(shape)));
  }
  return absl::OkStatus();
}

constexpr Entry kEntries[] = {{OpKind::kIf, InferIf}, {OpKind::kLoop, InferLoop}, {OpKind::kScan, InferScan}};

}  // namespace

std::span<const Entry> ControlFlowFunctions() { return kEntries; }

}  // namespace slipway::shapes
