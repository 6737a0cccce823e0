// Gathers that take every element in its order, as PyTorch's exporter writes as_strided: indices by Range, Mul, Unsqueeze, Add.
#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/match.h"

namespace slipway::fold {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 20;
constexpr int kMaxDepth = 32;

// An integer tensor whose element at (i, j, …) is offset + i × steps[0] + j × steps[1] + ….
struct Affine {
  Shape sizes;
  std::vector<Dim> steps;
  Dim offset;
};
using Result = std::optional<Affine>;

Result AffineOf(const Value* value, int depth);

Result OfConstant(const Tensor& tensor) {
  if (tensor.size() == 0 || tensor.size() > kMaxElements || !IsInteger(tensor.type())) return std::nullopt;
  const std::vector<int64_t> values = tensor.ToInt64s(), &shape = tensor.shape();
  std::vector<int64_t> steps(shape.size(), 0);
  for (size_t axis = shape.size(), stride = 1; axis-- > 0; stride *= static_cast<size_t>(shape[axis])) {
    if (shape[axis] > 1) steps[axis] = values[stride] - values[0];
  }
  std::vector<int64_t> index(shape.size(), 0);
  for (const int64_t value : values) {
    int64_t expected = values[0];
    for (size_t axis = 0; axis < index.size(); ++axis) expected += index[axis] * steps[axis];
    if (value != expected) return std::nullopt;
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return Affine{ToShape(shape), std::vector<Dim>(steps.begin(), steps.end()), Dim(values[0])};
}

std::optional<int64_t> IntegerOf(const Value* value) {
  if (value == nullptr || !value->constant || value->constant->size() != 1 || !IsInteger(value->type))
    return std::nullopt;
  return value->constant->ToInt64s()[0];
}

Result OfRange(const Node& node) {
  const std::optional<int64_t> start = IntegerOf(node.input(0)), step = IntegerOf(node.input(2));
  if (!start || !step) return std::nullopt;
  return Affine{*node.output()->shape, {Dim(*step)}, Dim(*start)};
}

// Axes of 1 come and go; the others stay in their order.
Result Rearranged(const Node& node, int depth) {
  const Result data = AffineOf(node.input(0), depth);
  if (!data) return std::nullopt;
  const Shape& sizes = *node.output()->shape;
  Affine result{sizes, std::vector<Dim>(sizes.size(), Dim(0)), data->offset};
  size_t from = 0;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis] == Dim(1)) continue;
    while (from < data->sizes.size() && data->sizes[from] == Dim(1)) ++from;
    if (from == data->sizes.size() || !(data->sizes[from] == sizes[axis])) return std::nullopt;
    result.steps[axis] = data->steps[from++];
  }
  const bool all = std::all_of(data->sizes.begin() + static_cast<int64_t>(from), data->sizes.end(),
                               [](const Dim& size) { return size == Dim(1); });
  return all ? Result(result) : std::nullopt;
}

void AddLeadingAxes(Affine& tensor, size_t rank) {
  while (tensor.sizes.size() < rank) {
    tensor.sizes.insert(tensor.sizes.begin(), Dim(1));
    tensor.steps.insert(tensor.steps.begin(), Dim(0));
  }
}

Result Sum(const Node& node, int depth) {
  Result a = AffineOf(node.input(0), depth), b = AffineOf(node.input(1), depth);
  if (!a || !b) return std::nullopt;
  AddLeadingAxes(*a, b->sizes.size());
  AddLeadingAxes(*b, a->sizes.size());
  for (size_t axis = 0; axis < a->sizes.size(); ++axis) {
    if (a->sizes[axis] == Dim(1)) {
      a->sizes[axis] = b->sizes[axis];
    } else if (!(b->sizes[axis] == Dim(1)) && !(a->sizes[axis] == b->sizes[axis])) {
      return std::nullopt;
    }
    a->steps[axis] = a->steps[axis] + b->steps[axis];  // an axis of 1 has step 0
  }
  a->offset = a->offset + b->offset;
  return a;
}

Result Scaled(const Node& node, int depth) {
  const size_t constant = IntegerOf(node.input(1)) ? 1 : 0;
  const std::optional<int64_t> factor = IntegerOf(node.input(constant));
  Result data = factor ? AffineOf(node.input(1 - constant), depth) : std::nullopt;
  if (!data) return std::nullopt;
  AddLeadingAxes(*data, static_cast<size_t>(node.output()->rank()));
  for (Dim& step : data->steps) step = step * Dim(*factor);
  data->offset = data->offset * Dim(*factor);
  return data;
}

Result AffineOf(const Value* value, int depth) {
  if (value == nullptr || depth > kMaxDepth || !value->shape || !IsInteger(value->type)) return std::nullopt;
  if (value->constant) return OfConstant(*value->constant);
  if (value->producer == nullptr) return std::nullopt;
  const Node& node = *value->producer;
  switch (node.kind) {
    case OpKind::kRange:
      return OfRange(node);
    case OpKind::kIdentity:
    case OpKind::kCast:
      return AffineOf(node.input(0), depth + 1);
    case OpKind::kUnsqueeze:
    case OpKind::kSqueeze:
    case OpKind::kReshape:
      return Rearranged(node, depth + 1);
    case OpKind::kAdd:
      return Sum(node, depth + 1);
    case OpKind::kMul:
      return Scaled(node, depth + 1);
    default:
      return std::nullopt;
  }
}

// Whether the elements are 0, 1, 2, … count - 1 in row-major order.
bool CountsUp(const Affine& tensor, const Dim& count) {
  Dim stride(1);
  for (size_t axis = tensor.sizes.size(); axis-- > 0;) {
    if (tensor.sizes[axis] == Dim(1)) continue;
    if (!(tensor.steps[axis] == stride)) return false;
    stride = stride * tensor.sizes[axis];
  }
  return tensor.offset == Dim(0) && stride == count;
}

constexpr OpKind kKinds[] = {OpKind::kGather};

class GatherToReshapeRule final : public Rule {
 public:
  std::string_view name() const override { return "gather-to-reshape"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Value *data = node.input(0), *output = node.output();
    if (!data->shape || !output->shape || data->constant) return false;
    int64_t axis = node.attributes.Int("axis", 0);
    if (axis < 0) axis += data->rank();
    const Result indices = AffineOf(node.input(1), 0);
    if (!indices || !CountsUp(*indices, (*data->shape)[static_cast<size_t>(axis)])) return false;
    const auto target = ReshapeTarget(*data->shape, *output->shape);
    if (!target) return false;
    Value* shape = graph.AddConstant(node.output()->name + "/shape", Tensor::Int64s(*target));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kReshape, {node.input(0), shape}, {}));
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> GatherToReshape() { return std::make_unique<GatherToReshapeRule>(); }

}  // namespace slipway::fold
