// Functions of one element: activations, unary arithmetic, predicates.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {
namespace {

double Sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

using Function = double (*)(double x, const Attributes& attributes);
struct FloatFunction {
  OpKind kind;
  Function function;
};

// Formulas and defaults: ONNX Operators.md.
constexpr FloatFunction kFunctions[] = {
    {OpKind::kRelu, [](double x, const Attributes&) { return x < 0 ? 0 : x; }},
    {OpKind::kLeakyRelu, [](double x, const Attributes& a) { return x < 0 ? x * a.Float("alpha", 0.01f) : x; }},
    {OpKind::kThresholdedRelu, [](double x, const Attributes& a) { return x > a.Float("alpha", 1) ? x : 0; }},
    {OpKind::kElu, [](double x, const Attributes& a) { return x < 0 ? a.Float("alpha", 1) * std::expm1(x) : x; }},
    {OpKind::kSelu,
     [](double x, const Attributes& a) {
       return a.Float("gamma", 1.05070102214813232421875f) *
              (x > 0 ? x : a.Float("alpha", 1.67326319217681884765625f) * std::expm1(x));
     }},
    {OpKind::kSigmoid, [](double x, const Attributes&) { return Sigmoid(x); }},
    {OpKind::kHardSigmoid,
     [](double x, const Attributes& a) {
       return std::clamp(x * a.Float("alpha", 0.2f) + a.Float("beta", 0.5f), 0.0, 1.0);
     }},
    {OpKind::kHardSwish, [](double x, const Attributes&) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {OpKind::kSwish, [](double x, const Attributes& a) { return x * Sigmoid(x * a.Float("alpha", 1)); }},
    {OpKind::kMish, [](double x, const Attributes&) { return x * std::tanh(Softplus(x)); }},
    {OpKind::kTanh, [](double x, const Attributes&) { return std::tanh(x); }},
    {OpKind::kSoftplus, [](double x, const Attributes&) { return Softplus(x); }},
    {OpKind::kSoftsign, [](double x, const Attributes&) { return x / (1 + std::abs(x)); }},
    {OpKind::kExp, [](double x, const Attributes&) { return std::exp(x); }},
    {OpKind::kLog, [](double x, const Attributes&) { return std::log(x); }},
    {OpKind::kSqrt, [](double x, const Attributes&) { return std::sqrt(x); }},
    {OpKind::kReciprocal, [](double x, const Attributes&) { return 1 / x; }},
    {OpKind::kFloor, [](double x, const Attributes&) { return std::floor(x); }},
    {OpKind::kCeil, [](double x, const Attributes&) { return std::ceil(x); }},
    {OpKind::kRound, [](double x, const Attributes&) { return std::nearbyint(x); }},  // half to even
    {OpKind::kErf, [](double x, const Attributes&) { return std::erf(x); }},
    {OpKind::kSin, [](double x, const Attributes&) { return std::sin(x); }},
    {OpKind::kCos, [](double x, const Attributes&) { return std::cos(x); }},
    {OpKind::kTan, [](double x, const Attributes&) { return std::tan(x); }},
    {OpKind::kAsin, [](double x, const Attributes&) { return std::asin(x); }},
    {OpKind::kAcos, [](double x, const Attributes&) { return std::acos(x); }},
    {OpKind::kAtan, [](double x, const Attributes&) { return std::atan(x); }},
    {OpKind::kSinh, [](double x, const Attributes&) { return std::sinh(x); }},
    {OpKind::kCosh, [](double x, const Attributes&) { return std::cosh(x); }},
    {OpKind::kAsinh, [](double x, const Attributes&) { return std::asinh(x); }},
    {OpKind::kAcosh, [](double x, const Attributes&) { return std::acosh(x); }},
    {OpKind::kAtanh, [](double x, const Attributes&) { return std::atanh(x); }},
    {OpKind::kAbs, [](double x, const Attributes&) { return std::abs(x); }},
    {OpKind::kNeg, [](double x, const Attributes&) { return -x; }},
    {OpKind::kSign, [](double x, const Attributes&) { return Sign(x); }},
};

Function Find(OpKind kind) {
  for (const FloatFunction& entry : kFunctions) {
    if (entry.kind == kind) return entry.function;
  }
  return nullptr;
}

template <typename R, typename F>
absl::StatusOr<Results> Map(const Call& call, F f) {
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(DataTypeOf<R>(), call[0].shape()));
  for (int64_t i = 0; i < call[0].size(); ++i) {
    const R value = f(i);
    std::memcpy(allocated.second.data() + static_cast<size_t>(i) * sizeof(R), &value, sizeof(R));
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateUnary(const Call& call) {
  const DataType type = call[0].type();
  const OpKind kind = call.node.kind;
  if (IsFloat(type)) {
    const std::vector<double> values = call[0].ToDoubles();
    const Function function = Find(kind);
    ASSIGN_OR_RETURN(const Results results,
                     (Map<double>(call, [&](int64_t i) { return function(values[i], call.node.attributes); })));
    return Results{results[0].Cast(type)};
  }
  if (kind != OpKind::kAbs && kind != OpKind::kNeg && kind != OpKind::kSign && kind != OpKind::kRelu)
    return call.NoKernel(type);
  if (!IsInteger(type)) return call.NoKernel(type);
  const bool is_unsigned = Name(type).starts_with("u");
  const std::vector<int64_t> values = call[0].ToInt64s();
  ASSIGN_OR_RETURN(const Results results, (Map<int64_t>(call, [&](int64_t i) -> int64_t {
                     const int64_t x = values[i];
                     const int64_t negated = static_cast<int64_t>(-static_cast<uint64_t>(x));
                     if (kind == OpKind::kNeg) return negated;
                     if (kind == OpKind::kSign) return is_unsigned ? x != 0 : (x > 0) - (x < 0);
                     if (is_unsigned || x >= 0) return x;
                     return kind == OpKind::kAbs ? negated : 0;
                   })));
  return Results{results[0].Cast(type)};
}

absl::StatusOr<Results> EvaluateNot(const Call& call) {
  if (call[0].type() != DataType::kBool) return call.NoKernel(call[0].type());
  return Map<bool>(call, [&](int64_t i) { return call[0].At<uint8_t>(i) == 0; });
}

absl::StatusOr<Results> EvaluateBitwiseNot(const Call& call) {
  if (!IsInteger(call[0].type())) return call.NoKernel(call[0].type());
  const std::vector<int64_t> values = call[0].ToInt64s();
  ASSIGN_OR_RETURN(const Results results, (Map<int64_t>(call, [&](int64_t i) { return ~values[i]; })));
  return Results{results[0].Cast(call[0].type())};
}

absl::StatusOr<Results> EvaluateIsNaN(const Call& call) {
  const std::vector<double> values = call[0].ToDoubles();
  return Map<bool>(call, [&](int64_t i) { return std::isnan(values[i]); });
}

absl::StatusOr<Results> EvaluateIsInf(const Call& call) {
  const std::vector<double> values = call[0].ToDoubles();
  const bool positive = call.node.attributes.Int("detect_positive", 1) != 0,
             negative = call.node.attributes.Int("detect_negative", 1) != 0;
  return Map<bool>(call, [&](int64_t i) { return std::isinf(values[i]) && (values[i] > 0 ? positive : negative); });
}

absl::StatusOr<Results> EvaluateClip(const Call& call) {
  const DataType type = call[0].type();
  if (type == DataType::kUInt64) return call.NoKernel(type);
  for (size_t i = 1; i <= 2; ++i) {
    if (call.Has(i) && call[i].size() != 1) return call.Error("bound {} has {} elements", i, call[i].size());
  }
  if (!IsFloat(type)) {
    const int64_t low = call.Has(1) ? call[1].ToInt64s()[0] : std::numeric_limits<int64_t>::min();
    const int64_t high = call.Has(2) ? call[2].ToInt64s()[0] : std::numeric_limits<int64_t>::max();
    const std::vector<int64_t> values = call[0].ToInt64s();
    ASSIGN_OR_RETURN(const Results results,
                     (Map<int64_t>(call, [&](int64_t i) { return std::min(std::max(values[i], low), high); })));
    return Results{results[0].Cast(type)};
  }
  const double low = call.Has(1) ? call[1].ToDoubles()[0] : -std::numeric_limits<double>::infinity();
  const double high = call.Has(2) ? call[2].ToDoubles()[0] : std::numeric_limits<double>::infinity();
  const std::vector<double> values = call[0].ToDoubles();
  ASSIGN_OR_RETURN(const Results results, (Map<double>(call, [&](int64_t i) {
                     return std::isnan(values[i]) ? values[i] : std::min(std::max(values[i], low), high);
                   })));
  return Results{results[0].Cast(type)};
}

std::vector<Entry> MakeEntries() {
  std::vector<Entry> entries = {{OpKind::kNot, EvaluateNot},
                                {OpKind::kBitwiseNot, EvaluateBitwiseNot},
                                {OpKind::kIsNaN, EvaluateIsNaN},
                                {OpKind::kIsInf, EvaluateIsInf},
                                {OpKind::kClip, EvaluateClip}};
  for (const FloatFunction& function : kFunctions) entries.push_back({function.kind, EvaluateUnary});
  return entries;
}

}  // namespace

std::span<const Entry> ActivationKernels() {
  static const std::vector<Entry>& entries = *new std::vector<Entry>(MakeEntries());
  return entries;
}

}  // namespace slipway::evaluate
