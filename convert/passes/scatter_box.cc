#include "convert/passes/scatter_box.h"

#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

struct Box {
  std::vector<int64_t> begin, end;  // of the axes that the indices name
};

// nullopt: other places, or another order.
std::optional<Box> BoxOf(const Tensor& indices, const Shape& data) {
  const auto depth = static_cast<size_t>(indices.shape().back());
  if (depth == 0 || depth > data.size() || indices.size() == 0) return std::nullopt;
  std::vector<int64_t> places = indices.ToInt64s();
  for (size_t i = 0; i < places.size(); ++i) {
    const Dim& size = data[i % depth];
    if (!size.IsKnown()) return std::nullopt;
    places[i] += places[i] < 0 ? size.value() : 0;
    if (places[i] < 0 || places[i] >= size.value()) return std::nullopt;
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

class ScatterBoxByConcat final : public Rule {
 public:
  std::string_view name() const override { return "scatter-box-by-concat"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *updates = node.input(2);
    const Tensor* indices = node.constant(1);
    if (indices == nullptr || indices->rank() < 1 || !x->shape || node.attributes.String("reduction", "none") != "none")
      return false;
    const std::optional<Box> box = BoxOf(*indices, *x->shape);
    if (!box) return false;
    Shape shape = *x->shape;
    for (size_t i = 0; i < box->begin.size(); ++i) shape[i] = Dim(box->end[i] - box->begin[i]);
    if (!updates->shape) return false;
    const auto target = ReshapeTarget(*updates->shape, shape);
    if (!target) return false;
    Steps s(graph, node);
    Value* inside = *updates->shape == shape ? updates : s.Reshape(updates, *target);
    // From the last axis out: the box grows to the data's size an axis at a time.
    for (size_t i = box->begin.size(); i-- > 0;) {
      const int64_t size = (*x->shape)[i].value();
      if (box->begin[i] == 0 && box->end[i] == size) continue;
      Value* line = x;  // the data within the box of the axes before this one
      for (size_t k = 0; k < i; ++k) {
        if (box->begin[k] != 0 || box->end[k] != (*x->shape)[k].value())
          line = s.Slice(line, static_cast<int64_t>(k), box->begin[k], box->end[k]);
      }
      const auto axis = static_cast<int64_t>(i);
      std::vector<Value*> parts;
      if (box->begin[i] > 0) parts.push_back(s.Slice(line, axis, 0, box->begin[i]));
      parts.push_back(inside);
      if (box->end[i] < size) parts.push_back(s.Slice(line, axis, box->end[i], size));
      inside = s.Op(OpKind::kConcat, parts, Steps::With("axis", axis));
    }
    return s.Become(OpKind::kIdentity, {inside});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kScatterND};
};

}  // namespace

std::unique_ptr<Rule> MakeScatterBoxByConcat() { return std::make_unique<ScatterBoxByConcat>(); }

}  // namespace slipway
