#include <array>
#include <limits>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// Whole numbers in float32 blobs are exact up to here.
constexpr int64_t kExact = int64_t{1} << 24;

Attributes With(std::string_view name, int64_t value) {
  Attributes attributes;
  attributes.Set(name, value);
  return attributes;
}

// ArgMax, ArgMin, Hardmax: where the extreme stands, numbered so that the first (or last) such place has the greatest number.
class LocateExtreme final : public Rule {
 public:
  std::string_view name() const override { return "locate-extreme"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kArgMax, OpKind::kArgMin, OpKind::kHardmax};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* x = node.input(0);
    const int64_t rank = x->rank();
    if (rank < 1 || x->type != DataType::kFloat32) return false;
    const bool hardmax = node.kind == OpKind::kHardmax;
    const int64_t given = node.attributes.Int("axis", hardmax ? -1 : 0), axis = given < 0 ? given + rank : given;
    const Dim& dim = (*x->shape)[static_cast<size_t>(axis)];
    if (!dim.IsKnown() || dim.value() > kExact) return false;
    const int64_t size = dim.value();
    const bool last = node.attributes.Int("select_last_index", 0) != 0;

    Composer c(graph, node);
    Value* axes = c.Constant(Tensor::Int64s({axis}));
    const OpKind extreme = node.kind == OpKind::kArgMin ? OpKind::kReduceMin : OpKind::kReduceMax;
    Value* hit = IsZero(c, c.Add(OpKind::kSub, {x, c.Add(extreme, {x, axes}, With("keepdims", 1))}));
    // Places counted from 1, from the end where the first is wanted.
    std::vector<float> places;
    for (int64_t i = 0; i < size; ++i) places.push_back(static_cast<float>(last ? i + 1 : size - i));
    std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
    shape[static_cast<size_t>(axis)] = size;
    Value* counts = c.Constant(Tensor::From(shape, places));
    const int64_t keep = hardmax ? 1 : node.attributes.Int("keepdims", 1);
    Value* place = c.Add(OpKind::kReduceMax, {c.Add(OpKind::kMul, {hit, counts}), axes}, With("keepdims", keep));
    if (hardmax) {
      Value* difference = c.Add(OpKind::kSub, {c.Add(OpKind::kMul, {hit, counts}), place});
      return c.Finish(OpKind::kIdentity, {IsZero(c, difference)});
    }
    Value* index = last ? c.Add(OpKind::kSub, {place, c.Constant(1)})
                        : c.Add(OpKind::kSub, {c.Constant(static_cast<float>(size)), place});
    return c.Finish(OpKind::kCast, {index}, With("to", ElementTypeCode(node.output()->type)));
  }

 private:
  // 1 where a difference is 0.
  static Value* IsZero(Composer& c, Value* difference) {
    Value* apart = c.Add(OpKind::kGreater, {c.Add(OpKind::kAbs, {difference}), c.Constant(0)});
    return c.Add(OpKind::kCast, {c.Add(OpKind::kNot, {apart})}, With("to", ElementTypeCode(DataType::kFloat32)));
  }
};

// Powers that bring whole numbers together with others are computed in float32.
class WidenPower final : public Rule {
 public:
  std::string_view name() const override { return "widen-power"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kPow};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const bool whole = IsInteger(node.input(0)->type) && IsInteger(node.input(1)->type);
    if (whole || (node.input(0)->type == DataType::kFloat32 && node.input(1)->type == DataType::kFloat32)) return false;
    Composer c(graph, node);
    const auto number = [&](Value* value) {
      return value->type == DataType::kFloat32
                 ? value
                 : c.Add(OpKind::kCast, {value}, With("to", ElementTypeCode(DataType::kFloat32)));
    };
    const DataType type = node.output()->type;
    Value *base = number(node.input(0)), *exponent = number(node.input(1));
    if (type == DataType::kFloat32) return c.Finish(OpKind::kPow, {base, exponent});
    return c.Finish(OpKind::kCast, {c.Add(OpKind::kPow, {base, exponent})}, With("to", ElementTypeCode(type)));
  }
};

// Whole numbers are compared as what they are held as.
class WidenComparison final : public Rule {
 public:
  std::string_view name() const override { return "widen-comparison"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kEqual, OpKind::kGreater, OpKind::kGreaterOrEqual, OpKind::kLess,
                                          OpKind::kLessOrEqual};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (!IsInteger(node.input(0)->type) || !IsInteger(node.input(1)->type)) return false;
    Composer c(graph, node);
    const auto number = [&](Value* value) {
      return value->IsConstant() ? c.Constant(value->constant->Cast(DataType::kFloat32))
                                 : c.Add(OpKind::kCast, {value}, With("to", ElementTypeCode(DataType::kFloat32)));
    };
    Value *a = number(node.input(0)), *b = number(node.input(1));
    return c.Finish(node.kind, {a, b}, node.attributes);
  }
};

// x - y · q, the quotient rounded towards 0 (fmod) or down.
class ComposeRemainder final : public Rule {
 public:
  std::string_view name() const override { return "compose-remainder"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kMod};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *y = node.input(1);
    if (x->type != DataType::kFloat32) return false;
    Composer c(graph, node);
    Value* quotient = c.Add(OpKind::kDiv, {x, y});
    if (node.attributes.Int("fmod", 0) != 0) {
      Value* whole = c.Add(OpKind::kCast, {quotient}, With("to", ElementTypeCode(DataType::kInt64)));
      quotient = c.Add(OpKind::kCast, {whole}, With("to", ElementTypeCode(DataType::kFloat32)));
    } else {
      quotient = c.Add(OpKind::kFloor, {quotient});
    }
    return c.Finish(OpKind::kSub, {x, c.Add(OpKind::kMul, {quotient, y})});
  }
};

// An infinity lies beyond every number; of NaN neither it nor its negative lies above the lowest number.
class ComposeSpecialValues final : public Rule {
 public:
  std::string_view name() const override { return "compose-special-values"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kIsInf, OpKind::kIsNaN};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* x = node.input(0);
    if (x->type != DataType::kFloat32) return false;
    constexpr float kGreatest = std::numeric_limits<float>::max();
    Composer c(graph, node);
    if (node.kind == OpKind::kIsNaN) {
      Value* above = c.Add(OpKind::kGreater, {x, c.Constant(-kGreatest)});
      Value* below = c.Add(OpKind::kGreater, {c.Add(OpKind::kNeg, {x}), c.Constant(-kGreatest)});
      return c.Finish(OpKind::kNot, {c.Add(OpKind::kOr, {above, below})});
    }
    const bool positive = node.attributes.Int("detect_positive", 1) != 0;
    const bool negative = node.attributes.Int("detect_negative", 1) != 0;
    if (!positive && !negative) return false;
    Value* size = positive && negative ? c.Add(OpKind::kAbs, {x}) : positive ? x : c.Add(OpKind::kNeg, {x});
    return c.Finish(OpKind::kGreater, {size, c.Constant(kGreatest)});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeComposeRemainder() { return std::make_unique<ComposeRemainder>(); }
std::unique_ptr<Rule> MakeComposeSpecialValues() { return std::make_unique<ComposeSpecialValues>(); }
std::unique_ptr<Rule> MakeLocateExtreme() { return std::make_unique<LocateExtreme>(); }
std::unique_ptr<Rule> MakeWidenComparison() { return std::make_unique<WidenComparison>(); }
std::unique_ptr<Rule> MakeWidenPower() { return std::make_unique<WidenPower>(); }

}  // namespace slipway::ncnn
