#include "convert/passes/slice_early.h"

#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

using enum OpKind;

// What a node takes of its data: [begin, end) of an axis for each result; the axis is dropped where `squeezed`.
struct Part {
  Value* output;
  int64_t begin, end;
};
struct Parts {
  int64_t axis = 0;
  bool squeezed = false;
  std::vector<Part> parts;
};

std::optional<Parts> PartsOfGather(const Node& gather, int64_t axis, int64_t size) {
  const Tensor* indices = gather.constant(1);
  if (indices == nullptr || indices->size() == 0 || indices->rank() > 1) return std::nullopt;
  std::vector<int64_t> at = indices->ToInt64s();
  for (int64_t& index : at) index += index < 0 ? size : 0;
  for (size_t i = 1; i < at.size(); ++i) {
    if (at[i] != at[i - 1] + 1) return std::nullopt;
  }
  if (at.front() < 0 || at.back() >= size) return std::nullopt;
  return Parts{axis, indices->rank() == 0, {{gather.output(), at.front(), at.back() + 1}}};
}

std::optional<Parts> PartsOfSlice(const Node& slice, int64_t rank) {
  for (size_t i = 1; i < slice.inputs.size(); ++i) {
    if (slice.input(i) != nullptr && slice.constant(i) == nullptr) return std::nullopt;
  }
  if (slice.constant(1) == nullptr || slice.constant(2) == nullptr || slice.constant(1)->size() != 1 ||
      slice.constant(2)->size() != 1 || (slice.constant(4) != nullptr && slice.constant(4)->ToInt64s()[0] != 1))
    return std::nullopt;
  const int64_t given = slice.constant(3) != nullptr ? slice.constant(3)->ToInt64s()[0] : 0;
  const int64_t axis = given < 0 ? given + rank : given;
  const Dim& size = (*slice.input(0)->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown()) return std::nullopt;
  const auto clamped = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + size.value() : at, 0, size.value());
  };
  const int64_t begin = clamped(slice.constant(1)->ToInt64s()[0]), end = clamped(slice.constant(2)->ToInt64s()[0]);
  if (begin >= end) return std::nullopt;
  return Parts{axis, false, {{slice.output(), begin, end}}};
}

std::optional<Parts> PartsOf(const Node& node) {
  const Value* x = node.input(0);
  const int64_t rank = x->rank();
  if (node.kind == kSlice) return PartsOfSlice(node, rank);
  const int64_t given = node.attributes.Int("axis", 0), axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank || !(*x->shape)[static_cast<size_t>(axis)].IsKnown()) return std::nullopt;
  if (node.kind == kGather) return PartsOfGather(node, axis, (*x->shape)[static_cast<size_t>(axis)].value());
  Parts parts{axis, false, {}};
  int64_t begin = 0;
  for (Value* output : node.outputs) {
    if (output == nullptr || !output->shape) return std::nullopt;
    const Dim& size = (*output->shape)[static_cast<size_t>(axis)];
    if (!size.IsKnown()) return std::nullopt;
    parts.parts.push_back({output, begin, begin + size.value()});
    begin += size.value();
  }
  return parts;
}

bool IsReshape(OpKind kind) { return kind == kReshape || kind == kFlatten || kind == kSqueeze || kind == kUnsqueeze; }

// The data's axis that the leading of several axes of a reshaped value, `axis` among them, comes from, and how many of its elements one of `axis` has.
struct Source {
  int64_t axis, stride;
};
std::optional<Source> SourceOf(const Shape& in, const Shape& out, int64_t axis) {
  Dim before(1);
  for (int64_t i = 0; i < axis; ++i) before = before * out[static_cast<size_t>(i)];
  Dim outer(1);
  for (size_t source = 0; source < in.size(); outer = outer * in[source], ++source) {
    if (!(outer == before) || !in[source].IsKnown()) continue;
    Dim size = out[static_cast<size_t>(axis)], stride(1);
    for (size_t i = static_cast<size_t>(axis) + 1;; ++i) {
      if (size == in[source] && stride.IsKnown()) return Source{static_cast<int64_t>(source), stride.value()};
      if (i >= out.size()) break;
      size = size * out[i];
      stride = stride * out[i];
    }
  }
  return std::nullopt;
}

class SliceBeforeMove final : public Rule {
 public:
  explicit SliceBeforeMove(int64_t most) : most_(most) {}
  std::string_view name() const override { return "slice-before-move"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Value* moved = node.input(0);
    const Node* move = moved->producer;
    if (moved->rank() <= most_ || move == nullptr || (move->kind != kTranspose && !IsReshape(move->kind))) return false;
    Value* x = move->input(0);
    const std::optional<Parts> parts = PartsOf(node);
    if (!parts || !x->shape) return false;
    const bool transposed = move->kind == kTranspose;
    Source source{};
    if (transposed) {
      source = {PermOf(*move)[static_cast<size_t>(parts->axis)], 1};
    } else {
      const auto found = SourceOf(*x->shape, *moved->shape, parts->axis);
      if (!found) return false;
      source = *found;
    }
    std::vector<std::vector<int64_t>> targets;
    for (const Part& part : parts->parts) {
      Shape cut = *x->shape, wanted = *moved->shape;
      cut[static_cast<size_t>(source.axis)] = Dim((part.end - part.begin) * source.stride);
      wanted[static_cast<size_t>(parts->axis)] = Dim(part.end - part.begin);
      if (!transposed && parts->squeezed) wanted.erase(wanted.begin() + parts->axis);
      const auto target = ReshapeTarget(cut, wanted);
      if (!target && !transposed) return false;
      targets.push_back(target.value_or(std::vector<int64_t>{}));
    }
    const Attributes perm = move->attributes;
    std::vector<std::pair<Value*, std::string>> renames;
    for (size_t i = 0; i < parts->parts.size(); ++i) {
      const Part& part = parts->parts[i];
      const std::string name = part.output->name;
      const auto add = [&](OpKind kind, std::vector<Value*> inputs,
                           Attributes attributes = {}) -> absl::StatusOr<Value*> {
        ASSIGN_OR_RETURN(Node* const added,
                         AddInferred(graph, kind, std::move(inputs), name + "/part", std::move(attributes), &node));
        return added->output();
      };
      const auto numbers = [&](std::vector<int64_t> values) {
        return graph.AddConstant(name + "/numbers", Tensor::Int64s(std::move(values)));
      };
      ASSIGN_OR_RETURN(Value * result, add(kSlice, {x, numbers({part.begin * source.stride}),
                                                    numbers({part.end * source.stride}), numbers({source.axis})}));
      if (transposed) {
        ASSIGN_OR_RETURN(result, add(kTranspose, {result}, perm));
        if (parts->squeezed) {
          ASSIGN_OR_RETURN(result, add(kSqueeze, {result, numbers({parts->axis})}));
        }
      } else {
        ASSIGN_OR_RETURN(result, add(kReshape, {result, numbers(targets[i])}));
      }
      result->origin = part.output->origin;
      graph.ReplaceUses(part.output, result);
      renames.emplace_back(result, name);
    }
    graph.RemoveNode(&node);
    for (const auto& [value, name] : renames) graph.Rename(value, name);
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {kGather, kSlice, kSplit};
  const int64_t most_;
};

}  // namespace

std::unique_ptr<Rule> MakeSliceBeforeMove(int64_t most) { return std::make_unique<SliceBeforeMove>(most); }

}  // namespace slipway
