// Element types and symbolic shapes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

enum class DataType : uint8_t {
  kUndefined,
  kFloat32,
  kFloat16,
  kBFloat16,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kBool,
  kString,
};

size_t SizeOf(DataType type);                            // bytes an element; 0 for kUndefined and kString
std::string_view Name(DataType type);                    // numpy's name: "float32", "int64", "bool", …
DataType DataTypeFromName(std::string_view numpy_name);  // kUndefined if unknown
bool IsFloat(DataType type);
bool IsInteger(DataType type);  // not bool

// One size of a shape: a number, or an integer expression over named sizes ("H", "floor((H - 3) / 2) + 1").
// Kept in a canonical linear form (constant + sum of coefficient × atom, an atom being a name or a floor division), so
// two sizes computed in different ways from the same symbols compare equal when their canonical forms agree. Equal:
// surely the same size. Different: not known to be the same.
class Dim {
 public:
  Dim() : Dim(0) {}
  Dim(int64_t value) : constant_(value) {}  // NOLINT: sizes are numbers first
  static Dim Symbol(std::string name);      // a size named by the model ("batch", "H")
  static Dim Unknown();                     // a fresh symbol, equal only to itself ("?1", "?2", …)
  static Dim Overflow();                    // one that stands for a number beyond int64: no tensor has such a size

  bool IsKnown() const { return terms_.empty(); }
  bool Overflows() const;  // whether it, or what it was computed from, is an Overflow()
  // The number; only for IsKnown().
  int64_t value() const { return constant_; }
  // "3", "H", "2*H + 1", "floor((H - 3) / 2) + 1"
  std::string ToString() const;
  // The number under `bindings` (symbol → size); nullopt if a symbol has none, or if int64 does not hold it.
  std::optional<int64_t> Evaluate(const std::map<std::string, int64_t>& bindings) const;
  // Appends the base symbols the expression depends on.
  void CollectSymbols(std::vector<std::string>& names) const;

  // What int64 does not hold is Overflow(); what would be pages of text is Unknown().
  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);  // products of two unknown sizes become an atom
  friend Dim FloorDiv(const Dim& a, const Dim& b);   // exact when every coefficient divides
  friend Dim CeilDiv(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b);

 private:
  struct Atom;  // symbol, floor division or product
  // Of a number, which nearly all sizes are, only a null pointer.
  class Terms {
    using Map = std::map<std::string, std::pair<std::shared_ptr<const Atom>, int64_t>>;

   public:
    Terms() = default;
    Terms(const Terms& other) : map_(other.empty() ? nullptr : std::make_unique<Map>(*other.map_)) {}
    Terms(Terms&&) = default;
    Terms& operator=(const Terms& other) { return *this = Terms(other); }
    Terms& operator=(Terms&&) = default;
    bool empty() const { return map_ == nullptr || map_->empty(); }
    size_t size() const { return map_ == nullptr ? 0 : map_->size(); }
    Map::const_iterator begin() const { return Read().begin(); }
    Map::const_iterator end() const { return Read().end(); }
    template <typename... Arguments>
    std::pair<Map::iterator, bool> emplace(Arguments&&... arguments) {
      if (map_ == nullptr) map_ = std::make_unique<Map>();
      return map_->emplace(std::forward<Arguments>(arguments)...);
    }
    void erase(Map::iterator at) { map_->erase(at); }

   private:
    static const Map& None();
    const Map& Read() const { return map_ == nullptr ? None() : *map_; }
    std::unique_ptr<Map> map_;
  };
  Terms terms_;  // by the atom's text; coefficients ≠ 0
  int64_t constant_ = 0;
};

using Shape = std::vector<Dim>;

bool IsStatic(const Shape& shape);
// Numbers of a static shape; nullopt otherwise.
std::optional<std::vector<int64_t>> StaticShape(const Shape& shape);
Shape ToShape(const std::vector<int64_t>& sizes);
std::string ToString(const Shape& shape);                 // "[1, 3, H, W]"
std::string ToString(const std::vector<int64_t>& sizes);  // "[1, 3, 4]"
// Product of sizes; 1 for a scalar. Known overflow of int64 gives -1: callers refuse it.
int64_t ElementCount(const std::vector<int64_t>& sizes);

}  // namespace slipway
