#include "convert/ir/types.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>

namespace slipway {
namespace {

struct TypeInfo {
  std::string_view name;
  size_t bytes;
};

// In DataType's order.
constexpr std::array<TypeInfo, 15> kTypes = {{{"undefined", 0},
                                              {"float32", 4},
                                              {"float16", 2},
                                              {"bfloat16", 2},
                                              {"float64", 8},
                                              {"int8", 1},
                                              {"int16", 2},
                                              {"int32", 4},
                                              {"int64", 8},
                                              {"uint8", 1},
                                              {"uint16", 2},
                                              {"uint32", 4},
                                              {"uint64", 8},
                                              {"bool", 1},
                                              {"str", 0}}};

// Expressions beyond this are no shape arithmetic any more: each product of a size by itself doubles its text.
constexpr size_t kMaxTerms = 64;
constexpr size_t kMaxText = 1024;
constexpr std::string_view kOverflow = "?overflow";

int64_t FloorDivide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

}  // namespace

size_t SizeOf(DataType type) { return kTypes[static_cast<size_t>(type)].bytes; }
std::string_view Name(DataType type) { return kTypes[static_cast<size_t>(type)].name; }

DataType DataTypeFromName(std::string_view numpy_name) {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].name == numpy_name) return static_cast<DataType>(i);
  }
  return DataType::kUndefined;
}

bool IsFloat(DataType type) { return type >= DataType::kFloat32 && type <= DataType::kFloat64; }
bool IsInteger(DataType type) { return type >= DataType::kInt8 && type <= DataType::kUInt64; }

// A symbol, or an operation on two expressions that has no linear form.
struct Dim::Atom {
  enum class Kind { kSymbol, kFloorDivision, kProduct };
  Kind kind;
  std::string symbol;
  Dim left = Dim(0), right = Dim(0);

  std::string Text() const {
    switch (kind) {
      case Kind::kSymbol:
        return symbol;
      case Kind::kFloorDivision:
        return fmt::format("floor(({}) / {})", left.ToString(),
                           right.IsKnown() ? right.ToString() : "(" + right.ToString() + ")");
      case Kind::kProduct:
        return fmt::format("({}) * ({})", left.ToString(), right.ToString());
    }
    return "";
  }
};

Dim Dim::Symbol(std::string name) {
  Dim dim(0);
  auto atom = std::make_shared<Atom>(Atom{Atom::Kind::kSymbol, name});
  dim.terms_.emplace(std::move(name), std::pair(std::move(atom), int64_t{1}));
  return dim;
}

const Dim::Terms::Map& Dim::Terms::None() {
  static const Map none;
  return none;
}

Dim Dim::Unknown() {
  static std::atomic<uint64_t> next{1};
  return Symbol(fmt::format("?{}", next.fetch_add(1)));
}

Dim Dim::Overflow() {
  static std::atomic<uint64_t> next{1};
  return Symbol(fmt::format("{}{}", kOverflow, next.fetch_add(1)));
}

bool Dim::Overflows() const {
  if (IsKnown()) return false;
  std::vector<std::string> symbols;
  CollectSymbols(symbols);
  return std::ranges::any_of(symbols, [](const std::string& symbol) { return symbol.starts_with(kOverflow); });
}

std::string Dim::ToString() const {
  std::string text;
  for (const auto& [atom, term] : terms_) {
    const int64_t coefficient = term.second;
    if (!text.empty()) text += coefficient < 0 ? " - " : " + ";
    if (text.empty() && coefficient < 0) text += "-";
    const uint64_t magnitude = coefficient < 0 ? -static_cast<uint64_t>(coefficient) : coefficient;
    if (magnitude != 1) text += fmt::format("{}*", magnitude);
    text += atom;
  }
  if (text.empty()) return std::to_string(constant_);
  if (constant_ > 0) text += fmt::format(" + {}", constant_);
  if (constant_ < 0) text += fmt::format(" - {}", -static_cast<uint64_t>(constant_));
  return text;
}

std::optional<int64_t> Dim::Evaluate(const std::map<std::string, int64_t>& bindings) const {
  int64_t sum = constant_;
  for (const auto& [text, term] : terms_) {
    const auto& [atom, coefficient] = term;
    int64_t value = 0;
    if (atom->kind == Atom::Kind::kSymbol) {
      auto bound = bindings.find(atom->symbol);
      if (bound == bindings.end()) return std::nullopt;
      value = bound->second;
    } else {
      const auto left = atom->left.Evaluate(bindings), right = atom->right.Evaluate(bindings);
      if (!left || !right) return std::nullopt;
      if (atom->kind == Atom::Kind::kProduct) {
        if (__builtin_mul_overflow(*left, *right, &value)) return std::nullopt;
      } else {
        if (*right == 0 || *right == -1) return std::nullopt;
        value = FloorDivide(*left, *right);
      }
    }
    int64_t product = 0;
    if (__builtin_mul_overflow(coefficient, value, &product) || __builtin_add_overflow(sum, product, &sum))
      return std::nullopt;
  }
  return sum;
}

void Dim::CollectSymbols(std::vector<std::string>& names) const {
  for (const auto& [text, term] : terms_) {
    const Atom& atom = *term.first;
    if (atom.kind == Atom::Kind::kSymbol) {
      names.push_back(atom.symbol);
    } else {
      atom.left.CollectSymbols(names);
      atom.right.CollectSymbols(names);
    }
  }
}

Dim operator+(const Dim& a, const Dim& b) {
  Dim sum = a;
  if (__builtin_add_overflow(sum.constant_, b.constant_, &sum.constant_)) return Dim::Overflow();
  for (const auto& [text, term] : b.terms_) {
    auto [place, inserted] = sum.terms_.emplace(text, term);
    if (inserted) continue;
    int64_t& coefficient = place->second.second;
    if (__builtin_add_overflow(coefficient, term.second, &coefficient)) return Dim::Overflow();
    if (coefficient == 0) sum.terms_.erase(place);
  }
  return sum.terms_.size() > kMaxTerms ? Dim::Unknown() : sum;
}

Dim operator*(const Dim& a, const Dim& b) {
  if (!a.IsKnown() && !b.IsKnown()) {
    const bool ordered = a.ToString() <= b.ToString();  // commutative: one canonical text
    auto atom = std::make_shared<Dim::Atom>(Dim::Atom{Dim::Atom::Kind::kProduct, "", ordered ? a : b, ordered ? b : a});
    Dim product(0);
    std::string text = atom->Text();
    if (text.size() > kMaxText) return Dim::Unknown();
    product.terms_.emplace(std::move(text), std::pair(std::move(atom), int64_t{1}));
    return product;
  }
  const Dim& expression = a.IsKnown() ? b : a;
  const int64_t factor = a.IsKnown() ? a.constant_ : b.constant_;
  Dim product(0);
  if (factor == 0) return product;
  if (__builtin_mul_overflow(factor, expression.constant_, &product.constant_)) return Dim::Overflow();
  for (const auto& [text, term] : expression.terms_) {
    int64_t coefficient = 0;
    if (__builtin_mul_overflow(term.second, factor, &coefficient)) return Dim::Overflow();
    product.terms_.emplace(text, std::pair(term.first, coefficient));
  }
  return product;
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim FloorDiv(const Dim& a, const Dim& b) {
  if (b.IsKnown() && (b.constant_ == 1 || b.constant_ == -1)) return a * b;
  if (a.IsKnown() && b.IsKnown() && b.constant_ != 0) return Dim(FloorDivide(a.constant_, b.constant_));
  if (a == b) return Dim(1);
  if (a.terms_.size() == 1 && a.constant_ == 0) {  // (x * b) / b
    const auto& [atom, coefficient] = a.terms_.begin()->second;
    if (atom->kind == Dim::Atom::Kind::kProduct) {
      if (atom->right == b) return atom->left * Dim(coefficient);
      if (atom->left == b) return atom->right * Dim(coefficient);
    }
  }
  // floor((floor(x / c) + k) / d) = floor((x + k*c) / (c*d)): a chain of strides is one division.
  if (b.IsKnown() && b.constant_ > 1 && a.terms_.size() == 1 && a.terms_.begin()->second.second == 1) {
    const Dim::Atom& atom = *a.terms_.begin()->second.first;
    if (atom.kind == Dim::Atom::Kind::kFloorDivision && atom.right.IsKnown() && atom.right.constant_ > 1) {
      const Dim divisor = atom.right * b, dividend = atom.left + Dim(a.constant_) * atom.right;
      if (divisor.IsKnown() && !dividend.Overflows()) return FloorDiv(dividend, divisor);
    }
  }
  // floor((g*x + c) / (g*d)) = floor((x + floor(c / g)) / d).
  if (b.IsKnown() && b.constant_ > 1) {
    int64_t common = b.constant_;
    for (const auto& [text, term] : a.terms_) common = term.second == INT64_MIN ? 1 : std::gcd(common, term.second);
    if (common > 1) {
      Dim part(FloorDivide(a.constant_, common));
      for (const auto& [text, term] : a.terms_) part.terms_.emplace(text, std::pair(term.first, term.second / common));
      return FloorDiv(part, Dim(b.constant_ / common));
    }
  }
  Dim whole(0), rest = a;
  if (b.IsKnown() && b.constant_ > 0) {
    // floor((q*d + r) / d) = q + floor(r / d): divisible coefficients and the constant's whole part leave the fraction.
    rest = Dim(a.constant_ - FloorDivide(a.constant_, b.constant_) * b.constant_);
    whole = Dim(FloorDivide(a.constant_, b.constant_));
    for (const auto& [text, term] : a.terms_) {
      Dim& side = term.second % b.constant_ == 0 ? whole : rest;
      const int64_t coefficient = &side == &whole ? term.second / b.constant_ : term.second;
      side.terms_.emplace(text, std::pair(term.first, coefficient));
    }
    if (rest.IsKnown()) return whole;  // 0 <= rest < divisor
  }
  auto atom = std::make_shared<Dim::Atom>(Dim::Atom{Dim::Atom::Kind::kFloorDivision, "", rest, b});
  std::string text = atom->Text();
  if (text.size() > kMaxText) return Dim::Unknown();
  Dim fraction(0);
  fraction.terms_.emplace(std::move(text), std::pair(std::move(atom), int64_t{1}));
  return whole + fraction;
}

Dim CeilDiv(const Dim& a, const Dim& b) { return FloorDiv(a + b - Dim(1), b); }

bool operator==(const Dim& a, const Dim& b) {
  if (a.constant_ != b.constant_ || a.terms_.size() != b.terms_.size()) return false;
  for (auto i = a.terms_.begin(), j = b.terms_.begin(); i != a.terms_.end(); ++i, ++j) {
    if (i->first != j->first || i->second.second != j->second.second) return false;
  }
  return true;
}

bool IsStatic(const Shape& shape) {
  for (const Dim& dim : shape) {
    if (!dim.IsKnown()) return false;
  }
  return true;
}

std::optional<std::vector<int64_t>> StaticShape(const Shape& shape) {
  std::vector<int64_t> sizes;
  for (const Dim& dim : shape) {
    if (!dim.IsKnown()) return std::nullopt;
    sizes.push_back(dim.value());
  }
  return sizes;
}

Shape ToShape(const std::vector<int64_t>& sizes) { return Shape(sizes.begin(), sizes.end()); }

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (const Dim& dim : shape) text += (text.size() > 1 ? ", " : "") + dim.ToString();
  return text + "]";
}

std::string ToString(const std::vector<int64_t>& sizes) { return ToString(ToShape(sizes)); }

int64_t ElementCount(const std::vector<int64_t>& sizes) {
  bool empty = false;
  int64_t count = 1;
  for (int64_t size : sizes) {
    if (size < 0) return -1;
    empty |= size == 0;
  }
  if (empty) return 0;
  for (int64_t size : sizes) {
    if (__builtin_mul_overflow(count, size, &count)) return -1;
  }
  return count;
}

}  // namespace slipway
