// Integers computed from shapes: Shape → Gather → Mul → Concat → Reshape with symbols carried through.
#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "convert/ir/cast.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

using Values = std::vector<Dim>;
using Result = std::optional<Values>;

constexpr int64_t kMaxElements = 4096;  // longer tensors are data, not shape arithmetic
constexpr int kMaxDepth = 128;

Result OfConstant(const Tensor& tensor) {
  if (tensor.rank() > 1 || tensor.size() > kMaxElements || tensor.type() == DataType::kString) return std::nullopt;
  Values values;
  if (IsFloat(tensor.type())) {
    for (double number : tensor.ToDoubles()) {
      if (!(std::abs(number) < 9e15) || number != std::floor(number)) return std::nullopt;
      values.push_back(Dim(static_cast<int64_t>(number)));
    }
  } else {
    for (int64_t number : tensor.ToInt64s()) values.push_back(Dim(number));
  }
  return values;
}

class Evaluator {
 public:
  // Memoised: a value that many nodes of a chain share is looked at once.
  const Result& Of(const Value* value, int depth) {
    static const Result& none = *new Result();
    if (value == nullptr || depth > kMaxDepth || value->rank() > 1) return none;
    if (const auto found = known_.find(value); found != known_.end()) return *found->second;
    auto result = std::make_unique<Result>(Compute(*value, depth));
    return *known_.emplace(value, std::move(result)).first->second;
  }

 private:
  Result Compute(const Value& value, int depth) {
    if (value.constant) return OfConstant(*value.constant);
    if (value.producer == nullptr || value.output_index != 0) return std::nullopt;
    const Node& node = *value.producer;
    switch (node.kind) {
      case OpKind::kShape:
        return OfShape(node);
      case OpKind::kSize: {
        const Value* data = node.input(0);
        if (data == nullptr || !data->shape) return std::nullopt;
        Dim product(1);
        for (const Dim& size : *data->shape) product = product * size;
        return Values{product};
      }
      case OpKind::kIdentity:
        return Of(node.input(0), depth + 1);
      case OpKind::kCast: {
        const DataType type = CastType(node);
        // Only integers pass (Of gives no others), so a cast between number types changes none of them.
        if (type == DataType::kBool || type == DataType::kString || type == DataType::kUndefined) return std::nullopt;
        return Of(node.input(0), depth + 1);
      }
      case OpKind::kFloor:
      case OpKind::kCeil:
      case OpKind::kRound:
        return Of(node.input(0), depth + 1);
      case OpKind::kSqueeze:
      case OpKind::kUnsqueeze:
      case OpKind::kReshape:
      case OpKind::kFlatten: {
        const Result& data = Of(node.input(0), depth + 1);
        // Only between rank 0 and rank 1 (Of refuses other ranks): the elements stay.
        return value.rank() >= 0 || (data && data->size() == 1) ? data : std::nullopt;
      }
      case OpKind::kConcat: {
        Values all;
        for (const Value* input : node.inputs) {
          const Result& part = Of(input, depth + 1);
          if (part) {
            all.insert(all.end(), part->begin(), part->end());
          } else if (input != nullptr && input->shape && input->rank() == 1 && (*input->shape)[0].IsKnown() &&
                     (*input->shape)[0].value() <= kMaxElements) {
            for (int64_t i = 0; i < (*input->shape)[0].value(); ++i) all.push_back(Dim::Unknown());
          } else {
            return std::nullopt;
          }
        }
        return all;
      }
      case OpKind::kGather:
        return OfGather(node, depth);
      case OpKind::kSlice:
        return OfSlice(node, depth);
      case OpKind::kAdd:
      case OpKind::kSub:
      case OpKind::kMul:
      case OpKind::kDiv:
      case OpKind::kMod:
      case OpKind::kMax:
      case OpKind::kMin:
        return OfArithmetic(node, depth);
      case OpKind::kReduceProd:
      case OpKind::kReduceSum: {
        const Result& data = Of(node.input(0), depth + 1);
        if (!data || node.input(0)->rank() != 1) return std::nullopt;
        if (node.input(1) == nullptr && node.attributes.Int("noop_with_empty_axes", 0) != 0) return data;
        Dim total(node.kind == OpKind::kReduceProd ? 1 : 0);
        for (const Dim& size : *data) total = node.kind == OpKind::kReduceProd ? total * size : total + size;
        return Values{total};
      }
      case OpKind::kConstantOfShape: {
        const Result& sizes = Of(node.input(0), depth + 1);
        if (!sizes || sizes->size() > 1 || (sizes->size() == 1 && !(*sizes)[0].IsKnown())) return std::nullopt;
        const int64_t count = sizes->empty() ? 1 : (*sizes)[0].value();
        const Tensor* fill = node.attributes.TensorOf("value");
        const Result filler = fill != nullptr ? OfConstant(*fill) : Values{Dim(0)};
        if (!filler || filler->size() != 1 || count < 0 || count > kMaxElements) return std::nullopt;
        return Values(static_cast<size_t>(count), (*filler)[0]);
      }
      case OpKind::kEqual: {
        const Result &a = Of(node.input(0), depth + 1), &b = Of(node.input(1), depth + 1);
        if (!a || !b || a->empty() || b->empty() || (a->size() != b->size() && a->size() != 1 && b->size() != 1))
          return std::nullopt;
        Values equal;
        for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
          const Dim &x = (*a)[a->size() == 1 ? 0 : i], &y = (*b)[b->size() == 1 ? 0 : i];
          if (x == y) {
            equal.push_back(Dim(1));
          } else if ((x.IsKnown() && y.IsKnown()) || (x.IsKnown() && x.value() < 0) || (y.IsKnown() && y.value() < 0)) {
            equal.push_back(Dim(0));  // sizes are never negative
          } else {
            return std::nullopt;
          }
        }
        return equal;
      }
      case OpKind::kWhere: {
        const Result &condition = Of(node.input(0), depth + 1), &a = Of(node.input(1), depth + 1),
                     &b = Of(node.input(2), depth + 1);
        if (!condition || !a || !b || condition->empty() || a->empty() || b->empty()) return std::nullopt;
        const size_t count = std::max({condition->size(), a->size(), b->size()});
        Values chosen;
        for (size_t i = 0; i < count; ++i) {
          const Dim& test = (*condition)[condition->size() == 1 ? 0 : i];
          if (!test.IsKnown()) return std::nullopt;
          const Values& from = test.value() != 0 ? *a : *b;
          if (from.size() != 1 && from.size() != count) return std::nullopt;
          chosen.push_back(from[from.size() == 1 ? 0 : i]);
        }
        return chosen;
      }
      default:
        return std::nullopt;
    }
  }

  Result OfShape(const Node& node) {
    const Value* data = node.input(0);
    if (data == nullptr || !data->shape) return std::nullopt;
    const int64_t rank = data->rank();
    int64_t start = node.attributes.Int("start", 0), end = node.attributes.Int("end", rank);
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<int64_t>(end < 0 ? end + rank : end, 0, rank);
    return start < end ? Values(data->shape->begin() + start, data->shape->begin() + end) : Values();
  }

  Result OfGather(const Node& node, int depth) {
    const Result& data = Of(node.input(0), depth + 1);
    const Tensor* indices = node.constant(1);
    if (!data || indices == nullptr || indices->rank() > 1 || node.input(0)->rank() != 1) return std::nullopt;
    Values picked;
    for (int64_t index : indices->ToInt64s()) {
      const int64_t count = static_cast<int64_t>(data->size());
      if (index < -count || index >= count) return std::nullopt;
      picked.push_back((*data)[static_cast<size_t>(index < 0 ? index + count : index)]);
    }
    return picked;
  }

  Result OfSlice(const Node& node, int depth) {
    const Result& data = Of(node.input(0), depth + 1);
    if (!data) return std::nullopt;
    const auto number = [&](size_t input, int64_t fallback) -> std::optional<int64_t> {
      if (node.input(input) == nullptr) return fallback;
      const Result& values = Of(node.input(input), depth + 1);
      return values && values->size() == 1 && (*values)[0].IsKnown() ? std::optional<int64_t>((*values)[0].value())
                                                                     : std::nullopt;
    };
    const std::optional<int64_t> start = number(1, 0), end = number(2, 0), axis = number(3, 0), step = number(4, 1);
    if (!start || !end || !axis || !step || *step == 0 || (*axis != 0 && *axis != -1)) return std::nullopt;
    const int64_t count = static_cast<int64_t>(data->size());
    const auto clamp = [&](int64_t at) {
      if (at < 0) at = std::max(at, -count - 1) + count;
      return *step > 0 ? std::clamp<int64_t>(at, 0, count) : std::clamp<int64_t>(at, -1, count - 1);
    };
    Values sliced;
    const int64_t stride = std::clamp<int64_t>(*step, -count - 1, count + 1);
    for (int64_t i = clamp(*start), last = clamp(*end); stride > 0 ? i < last : i > last; i += stride)
      sliced.push_back((*data)[i]);
    return sliced;
  }

  Result OfArithmetic(const Node& node, int depth) {
    Result total = Of(node.input(0), depth + 1);
    for (size_t input = 1; total && input < node.inputs.size(); ++input) {
      const Result& b = Of(node.input(input), depth + 1);
      if (!b || total->empty() || b->empty() || (total->size() != b->size() && total->size() != 1 && b->size() != 1))
        return std::nullopt;
      Values out;
      for (size_t i = 0; i < std::max(total->size(), b->size()); ++i) {
        const std::optional<Dim> value =
            Combine(node, (*total)[total->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
        if (!value) return std::nullopt;
        out.push_back(*value);
      }
      total = std::move(out);
    }
    return total;
  }

  static std::optional<Dim> Combine(const Node& node, const Dim& a, const Dim& b) {
    const bool known = a.IsKnown() && b.IsKnown();
    switch (node.kind) {
      case OpKind::kAdd:
        return a + b;
      case OpKind::kSub:
        return a - b;
      case OpKind::kMul:
        return a * b;
      case OpKind::kDiv: {
        if (!b.IsKnown() ? !(a == b) : b.value() == 0) return std::nullopt;
        if (!b.IsKnown()) return Dim(1);
        const bool floats = IsFloat(node.output()->type);
        if (a.IsKnown()) {
          if (floats && b.value() != -1 && a.value() % b.value() != 0) return std::nullopt;
          return b.value() == -1 ? a * b : Dim(a.value() / b.value());
        }
        // Integer division truncates; sizes are not negative, so it is a floor division.
        const Dim quotient = FloorDiv(a, b);
        if (floats && !(quotient * b == a)) return std::nullopt;
        return b.value() > 0 ? std::optional<Dim>(quotient) : std::nullopt;
      }
      case OpKind::kMod:
        if (!known || b.value() == 0 || a.value() < 0 || b.value() < 0) return std::nullopt;
        return Dim(a.value() % b.value());
      case OpKind::kMax:
      case OpKind::kMin:
        if (a == b) return a;
        if (!known) return std::nullopt;
        return Dim(node.kind == OpKind::kMax ? std::max(a.value(), b.value()) : std::min(a.value(), b.value()));
      default:
        return std::nullopt;
    }
  }

  absl::flat_hash_map<const Value*, std::unique_ptr<Result>> known_;
};

}  // namespace

std::optional<std::vector<Dim>> ShapeValue(const Value& value) { return Evaluator().Of(&value, 0); }

}  // namespace slipway
