#include "convert/passes/scatter_box.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/base/error.h"
#include "convert/evaluate/evaluate.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

// Of the axes that the indices name, in whole numbers.
struct Box {
  std::vector<int64_t> begin, end;
};

// nullopt: other places, or another order.
std::optional<Box> BoxOf(const Tensor& indices, const std::vector<int64_t>& data) {
  const auto depth = static_cast<size_t>(indices.shape().back());
  if (depth == 0 || depth > data.size() || indices.size() == 0) return std::nullopt;
  std::vector<int64_t> places = indices.ToInt64s();
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t size = data[i % depth];
    if (size < 0) return std::nullopt;
    places[i] += places[i] < 0 ? size : 0;
    if (places[i] < 0 || places[i] >= size) return std::nullopt;
  }
  Box box{{places.begin(), places.begin() + static_cast<int64_t>(depth)},
          {places.end() - static_cast<int64_t>(depth), places.end()}};
  int64_t count = 1;
  for (size_t i = 0; i < depth; ++i) {
    if (++box.end[i] <= box.begin[i]) return std::nullopt;
    count *= box.end[i] - box.begin[i];
    if (count > indices.size()) return std::nullopt;
  }
  if (count * static_cast<int64_t>(depth) != indices.size()) return std::nullopt;
  // Counted as the box is: the last axis runs fastest.
  std::vector<int64_t> at = box.begin;
  for (size_t point = 0; point < static_cast<size_t>(count); ++point) {
    if (!std::equal(at.begin(), at.end(), places.begin() + static_cast<int64_t>(point * depth))) return std::nullopt;
    for (size_t i = depth; i-- > 0;) {
      if (++at[i] < box.end[i]) break;
      at[i] = box.begin[i];
    }
  }
  return box;
}

// What a value holds when unknown sizes have these numbers, if it depends on sizes alone.
class AtSizes {
 public:
  explicit AtSizes(const std::map<std::string, int64_t>& sizes) : sizes_(sizes) {}

  // -1 for a size that depends on data.
  std::vector<int64_t> Numbers(const Shape& shape) const {
    std::vector<int64_t> numbers;
    for (const Dim& dim : shape) numbers.push_back(std::max<int64_t>(dim.Evaluate(sizes_).value_or(-1), -1));
    return numbers;
  }

  std::optional<Tensor> Of(const Value* value) {
    if (value->IsConstant()) return *value->constant;
    const Node* node = value->producer;
    if (node == nullptr || --left_ < 0) return std::nullopt;
    if (const auto known = known_.find(value); known != known_.end()) return known->second;
    if (node->kind == OpKind::kShape || node->kind == OpKind::kSize) {
      const Value* of = node->input(0);
      if (!of->shape) return std::nullopt;
      const std::vector<int64_t> numbers = Numbers(*of->shape);
      if (std::ranges::find(numbers, -1) != numbers.end()) return std::nullopt;
      if (node->kind == OpKind::kSize) return known_[value] = Tensor::From<int64_t>({}, {ElementCount(numbers)});
      const auto rank = static_cast<int64_t>(numbers.size());
      const auto bound = [&](const char* name, int64_t otherwise) {
        const int64_t given = node->attributes.Int(name, otherwise);
        return std::clamp<int64_t>(given < 0 ? given + rank : given, 0, rank);
      };
      const int64_t start = bound("start", 0), end = std::max(start, bound("end", rank));
      return known_[value] = Tensor::Int64s({numbers.begin() + start, numbers.begin() + end});
    }
    std::vector<Tensor> inputs;
    for (const Value* input : node->inputs) {
      const std::optional<Tensor> held = input == nullptr ? Tensor() : Of(input);
      if (!held) return std::nullopt;
      inputs.push_back(*held);
    }
    const absl::StatusOr<std::vector<Tensor>> results = EvaluateNode(*node, inputs, kMostBytes);
    if (!results.ok()) return std::nullopt;
    for (size_t i = 0; i < results->size() && i < node->outputs.size(); ++i) {
      if (node->outputs[i] == value) return known_[value] = (*results)[i];
    }
    return std::nullopt;
  }

 private:
  static constexpr int64_t kMostBytes = int64_t{1} << 25;
  const std::map<std::string, int64_t>& sizes_;
  std::map<const Value*, Tensor> known_;
  int left_ = 1000;  // nodes to look at
};

// Where a box lies, at whatever sizes: from `begin` to `end`, which may be INT64_MAX or count from the end.
struct Part {
  int64_t begin, end;
  bool whole;
};

// The box of indices that are constant or follow from sizes: the same at two sets of sizes that share no number.
std::optional<std::vector<Part>> PartsOf(const Graph& graph, const Value* indices, const Shape& data) {
  std::set<std::string> batches, symbols;
  for (const Value* input : graph.inputs()) {
    for (size_t axis = 0; input->shape && axis < input->shape->size(); ++axis) {
      std::vector<std::string> names;
      (*input->shape)[axis].CollectSymbols(names);
      (axis == 0 ? batches : symbols).insert(names.begin(), names.end());
    }
  }
  std::vector<Box> boxes;
  std::vector<std::vector<int64_t>> sizes_of;
  for (const int variant : {0, 1}) {
    std::map<std::string, int64_t> sizes;
    for (const std::string& name : symbols) sizes[name] = variant == 0 ? 64 : 96;
    for (const std::string& name : batches) sizes[name] = variant == 0 ? 2 : 3;
    AtSizes at(sizes);
    const std::vector<int64_t> numbers = at.Numbers(data);
    const std::optional<Tensor> held = at.Of(indices);
    if (!held || held->rank() < 1) return std::nullopt;
    const std::optional<Box> box = BoxOf(*held, numbers);
    if (!box) return std::nullopt;
    boxes.push_back(*box);
    sizes_of.push_back(numbers);
  }
  std::vector<Part> parts;
  for (size_t i = 0; i < boxes[0].begin.size(); ++i) {
    const int64_t begin = boxes[0].begin[i], end = boxes[0].end[i], size = sizes_of[0][i];
    const int64_t other_end = boxes[1].end[i], other_size = sizes_of[1][i];
    if (boxes[1].begin[i] != begin) return std::nullopt;
    if (end == size && other_end == other_size) {
      parts.push_back({begin, INT64_MAX, begin == 0});
    } else if (end == other_end) {
      parts.push_back({begin, end, false});
    } else if (size - end == other_size - other_end) {
      parts.push_back({begin, end - size, false});
    } else {
      return std::nullopt;
    }
  }
  return parts;
}

class ScatterBoxByConcat final : public Rule {
 public:
  std::string_view name() const override { return "scatter-box-by-concat"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *updates = node.input(2);
    if (!x->shape || !updates->shape || node.attributes.String("reduction", "none") != "none") return false;
    const auto parts = PartsOf(graph, node.input(1), *x->shape);
    if (!parts) return false;
    Steps s(graph, node);
    // The data within the box of the first axes.
    const auto line = [&](size_t axes) {
      Value* within = x;
      for (size_t k = 0; k < axes; ++k) {
        if (!(*parts)[k].whole) within = s.Slice(within, static_cast<int64_t>(k), (*parts)[k].begin, (*parts)[k].end);
      }
      return within;
    };
    const Value* box = line(parts->size());
    if (box == nullptr || !box->shape) return false;
    const auto target = ReshapeTarget(*updates->shape, *box->shape);
    if (!(*updates->shape == *box->shape) && !target) return false;
    Value* inside = *updates->shape == *box->shape ? updates : s.Reshape(updates, *target);
    // From the last axis out: the box grows to the data's size an axis at a time.
    for (size_t i = parts->size(); i-- > 0;) {
      const Part& part = (*parts)[i];
      if (part.whole) continue;
      const auto axis = static_cast<int64_t>(i);
      Value* around = line(i);
      std::vector<Value*> joined;
      if (part.begin > 0) joined.push_back(s.Slice(around, axis, 0, part.begin));
      joined.push_back(inside);
      if (part.end != INT64_MAX) joined.push_back(s.Slice(around, axis, part.end, INT64_MAX));
      inside = s.Op(OpKind::kConcat, joined, Steps::With("axis", axis));
    }
    return s.Become(OpKind::kIdentity, {inside});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kScatterND};
};

}  // namespace

std::unique_ptr<Rule> MakeScatterBoxByConcat() { return std::make_unique<ScatterBoxByConcat>(); }

}  // namespace slipway
