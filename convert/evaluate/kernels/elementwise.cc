// Arithmetic, comparison, logic, Where, Cast with broadcasting.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "convert/evaluate/kernels/kernels.h"
#include "convert/ir/cast.h"

namespace slipway::evaluate {
namespace {

template <typename T, typename R, typename F>
absl::StatusOr<Tensor> Apply(const Call& call, const Tensor& a, const Tensor& b, F f) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> shape, BroadcastShape(call, a.shape(), b.shape()));
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(DataTypeOf<R>(), shape));
  std::byte* out = allocated.second.data();
  BroadcastOffsets at_a(a.shape(), shape), at_b(b.shape(), shape);
  for (int64_t i = 0, count = allocated.first.size(); i < count; ++i, at_a.Next(), at_b.Next()) {
    const R value = f(a.At<T>(at_a.offset()), b.At<T>(at_b.offset()));
    std::memcpy(out + static_cast<size_t>(i) * sizeof(R), &value, sizeof(R));
  }
  return allocated.first;
}

// Calls f with a value of the compute type: float, double, int64_t or uint64_t.
template <typename F>
auto WithComputeType(DataType type, F f) {
  switch (ComputeType(type)) {
    case DataType::kFloat32:
      return f(float{});
    case DataType::kFloat64:
      return f(double{});
    case DataType::kUInt64:
      return f(uint64_t{});
    default:
      return f(int64_t{});
  }
}

template <typename T>
T Saturate(double value) {
  if (std::isnan(value)) return 0;
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

template <typename T>
T Power(T base, double exponent) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(std::pow(static_cast<double>(base), exponent));
  } else {
    if (exponent < 0 || exponent != std::floor(exponent) || exponent > 64)
      return Saturate<T>(std::pow(static_cast<double>(base), exponent));
    uint64_t result = 1;
    for (int i = 0; i < static_cast<int>(exponent); ++i) result *= static_cast<uint64_t>(base);
    return static_cast<T>(result);
  }
}

// Integers wrap around, as two's complement does.
template <typename T, typename F>
T Wrap(T a, T b, F f) {
  if constexpr (std::is_floating_point_v<T>) {
    return f(a, b);
  } else {
    return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  }
}

template <typename T>
T Arithmetic(OpKind kind, bool fmod, T a, T b) {
  switch (kind) {
    case OpKind::kAdd:
    case OpKind::kSum:
    case OpKind::kMean:
      return Wrap(a, b, [](auto x, auto y) { return x + y; });
    case OpKind::kSub:
      return Wrap(a, b, [](auto x, auto y) { return x - y; });
    case OpKind::kMul:
      return Wrap(a, b, [](auto x, auto y) { return x * y; });
    case OpKind::kDiv:
      if constexpr (std::is_floating_point_v<T>) {
        return a / b;
      } else {
        if constexpr (std::is_signed_v<T>) {
          if (b == -1) return static_cast<T>(-static_cast<uint64_t>(a));
        }
        return a / b;
      }
    case OpKind::kMod:
      if constexpr (std::is_floating_point_v<T>) {
        return std::fmod(a, b);
      } else {
        if constexpr (std::is_signed_v<T>) {
          if (b == -1) return 0;
          const T rest = a % b;
          return !fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
        }
        return a % b;
      }
    case OpKind::kMin:
      if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(a)) return a;
        if (std::isnan(b)) return b;
      }
      return std::min(a, b);
    case OpKind::kMax:
      if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(a)) return a;
        if (std::isnan(b)) return b;
      }
      return std::max(a, b);
    default:
      if constexpr (!std::is_floating_point_v<T>) {
        if (kind == OpKind::kBitwiseAnd || kind == OpKind::kAnd) return a & b;
        if (kind == OpKind::kBitwiseOr || kind == OpKind::kOr) return a | b;
        if (kind == OpKind::kBitwiseXor || kind == OpKind::kXor) return a ^ b;
      }
      return T{};
  }
}

absl::StatusOr<Results> EvaluateArithmetic(const Call& call) {
  const DataType type = call[0].type();
  const OpKind kind = call.node.kind;
  const bool fmod = call.node.attributes.Int("fmod", 0) != 0;
  return WithComputeType(type, [&](auto zero) -> absl::StatusOr<Results> {
    using T = decltype(zero);
    Tensor total = call[0].Cast(ComputeType(type));
    for (size_t i = 1; i < call.inputs.size(); ++i) {
      if (call[i].type() != type) return call.Error("operands of types {} and {}", Name(type), Name(call[i].type()));
      const Tensor operand = call[i].Cast(ComputeType(type));
      if (!std::is_floating_point_v<T> && (kind == OpKind::kDiv || kind == OpKind::kMod)) {
        for (int64_t at = 0; at < operand.size(); ++at) {
          if (operand.At<T>(at) == T{}) return call.Error("integer division by zero");
        }
      }
      const auto apply = [&](T a, T b) { return Arithmetic<T>(kind, fmod, a, b); };
      ASSIGN_OR_RETURN(total, (Apply<T, T>(call, total, operand, apply)));
      // Half-precision sums are rounded after each step, as a chain of Adds would be.
      if (call.inputs.size() > 2 && type != ComputeType(type) && IsFloat(type))
        total = total.Cast(type).Cast(ComputeType(type));
    }
    if (kind == OpKind::kMean && call.inputs.size() > 1) {
      const T count = static_cast<T>(call.inputs.size());
      ASSIGN_OR_RETURN(total, (Apply<T, T>(call, total, total, [&](T a, T) { return a / count; })));
    }
    return Results{total.Cast(type)};
  });
}

absl::StatusOr<Results> EvaluatePow(const Call& call) {
  const DataType type = call[0].type();
  return WithComputeType(type, [&](auto zero) -> absl::StatusOr<Results> {
    using T = decltype(zero);
    const Tensor base = call[0].Cast(ComputeType(type));
    const std::vector<double> exponents = call[1].ToDoubles();
    ASSIGN_OR_RETURN(const std::vector<int64_t> shape, BroadcastShape(call, base.shape(), call[1].shape()));
    ASSIGN_OR_RETURN(auto allocated, call.Allocate(DataTypeOf<T>(), shape));
    BroadcastOffsets at_base(base.shape(), shape), at_exponent(call[1].shape(), shape);
    for (int64_t i = 0; i < allocated.first.size(); ++i, at_base.Next(), at_exponent.Next()) {
      const T value = Power<T>(base.At<T>(at_base.offset()), exponents[static_cast<size_t>(at_exponent.offset())]);
      std::memcpy(allocated.second.data() + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
    }
    return Results{allocated.first.Cast(type)};
  });
}

absl::StatusOr<Results> EvaluateBitShift(const Call& call) {
  if (!IsInteger(call[0].type())) return call.NoKernel(call[0].type());
  const bool left = call.node.attributes.String("direction", "LEFT") == "LEFT";
  const auto shift = [&](uint64_t a, uint64_t b) { return b > 63 ? uint64_t{0} : left ? a << b : a >> b; };
  ASSIGN_OR_RETURN(const Tensor result, (Apply<uint64_t, uint64_t>(call, call[0].Cast(DataType::kUInt64),
                                                                   call[1].Cast(DataType::kUInt64), shift)));
  return Results{result.Cast(call[0].type())};
}

template <typename T>
bool Holds(OpKind kind, T a, T b) {
  switch (kind) {
    case OpKind::kEqual:
      return a == b;
    case OpKind::kGreater:
      return a > b;
    case OpKind::kGreaterOrEqual:
      return a >= b;
    case OpKind::kLess:
      return a < b;
    default:
      return a <= b;
  }
}

absl::StatusOr<Results> EvaluateComparison(const Call& call) {
  const DataType type = call[0].type();
  if (call[1].type() != type) return call.Error("operands of types {} and {}", Name(type), Name(call[1].type()));
  return WithComputeType(type, [&](auto zero) -> absl::StatusOr<Results> {
    using T = decltype(zero);
    const Tensor a = call[0].Cast(ComputeType(type)), b = call[1].Cast(ComputeType(type));
    const OpKind kind = call.node.kind;
    ASSIGN_OR_RETURN(const Tensor result,
                     (Apply<T, bool>(call, a, b, [kind](T x, T y) { return Holds<T>(kind, x, y); })));
    return Results{result};
  });
}

absl::StatusOr<Results> EvaluateWhere(const Call& call) {
  const Tensor &condition = call[0], &a = call[1], &b = call[2];
  if (a.type() != b.type() || condition.type() != DataType::kBool)
    return call.Error("operands of types {}, {} and {}", Name(condition.type()), Name(a.type()), Name(b.type()));
  ASSIGN_OR_RETURN(std::vector<int64_t> shape, BroadcastShape(call, a.shape(), b.shape()));
  ASSIGN_OR_RETURN(shape, BroadcastShape(call, shape, condition.shape()));
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(a.type(), shape));
  const size_t element = SizeOf(a.type());
  BroadcastOffsets at_condition(condition.shape(), shape), at_a(a.shape(), shape), at_b(b.shape(), shape);
  for (int64_t i = 0; i < allocated.first.size(); ++i, at_condition.Next(), at_a.Next(), at_b.Next()) {
    const bool chosen = condition.At<uint8_t>(at_condition.offset()) != 0;
    const std::byte* from = chosen ? a.bytes().data() + static_cast<size_t>(at_a.offset()) * element
                                   : b.bytes().data() + static_cast<size_t>(at_b.offset()) * element;
    std::memcpy(allocated.second.data() + static_cast<size_t>(i) * element, from, element);
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateCast(const Call& call) {
  const DataType to = CastType(call.node);
  if (SizeOf(to) == 0) return call.NoKernel(to);
  if (to == DataType::kBool) {
    ASSIGN_OR_RETURN(auto allocated, call.Allocate(to, call[0].shape()));
    const std::vector<double> values = call[0].ToDoubles();
    for (size_t i = 0; i < values.size(); ++i) allocated.second[i] = static_cast<std::byte>(values[i] != 0);
    return Results{allocated.first};
  }
  return Results{call[0].Cast(to)};
}

constexpr Entry kEntries[] = {
    {OpKind::kAdd, EvaluateArithmetic},
    {OpKind::kSub, EvaluateArithmetic},
    {OpKind::kMul, EvaluateArithmetic},
    {OpKind::kDiv, EvaluateArithmetic},
    {OpKind::kMod, EvaluateArithmetic},
    {OpKind::kMin, EvaluateArithmetic},
    {OpKind::kMax, EvaluateArithmetic},
    {OpKind::kSum, EvaluateArithmetic},
    {OpKind::kMean, EvaluateArithmetic},
    {OpKind::kAnd, EvaluateArithmetic},
    {OpKind::kOr, EvaluateArithmetic},
    {OpKind::kXor, EvaluateArithmetic},
    {OpKind::kBitwiseAnd, EvaluateArithmetic},
    {OpKind::kBitwiseOr, EvaluateArithmetic},
    {OpKind::kBitwiseXor, EvaluateArithmetic},
    {OpKind::kBitShift, EvaluateBitShift},
    {OpKind::kPow, EvaluatePow},
    {OpKind::kEqual, EvaluateComparison},
    {OpKind::kGreater, EvaluateComparison},
    {OpKind::kGreaterOrEqual, EvaluateComparison},
    {OpKind::kLess, EvaluateComparison},
    {OpKind::kLessOrEqual, EvaluateComparison},
    {OpKind::kWhere, EvaluateWhere},
    {OpKind::kCast, EvaluateCast},
};

}  // namespace

std::span<const Entry> ElementwiseKernels() { return kEntries; }

}  // namespace slipway::evaluate
