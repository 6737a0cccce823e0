// A pickle reader that builds data and runs nothing: protocols 0 to 5, as far as torch.save uses them.
//
// A pickle is a program for a stack machine. Its one dangerous instruction names a function by module and name and
// calls it. Here a name is looked up in a table given by the caller: what is not in it is refused by that name, before
// anything is made of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,
    kInt,   // fits int64
    kLong,  // `text` holds its little-endian two's complement bytes: longer than int64
    kFloat,
    kString,      // also bytes
    kTuple,       // items
    kList,        // items (sets too)
    kDict,        // items: key, value, key, value, …
    kGlobal,      // `meaning` of the caller's table; `text` = "module.name"
    kObject,      // a call: items = arguments; `meaning`, `text` of what was called
    kPersistent,  // items[0] = the persistent id
  };
  Kind kind = Kind::kNone;
  int meaning = 0;
  int64_t integer = 0;
  double real = 0;
  std::string_view text;
  std::vector<PickleValue*> items;
};

// Owns every value of the pickles read into it; values may form cycles. No value is moved or freed before the heap is.
class PickleHeap {
 public:
  static constexpr size_t kMaxValues = 4u << 20;
  static constexpr size_t kMaxItems = 16u << 20;  // of all tuples, lists and dictionaries together
  // nullptr when full.
  PickleValue* New(PickleValue::Kind kind);
  // Whether `count` more items may be stored.
  bool Spend(size_t count);
  const std::deque<PickleValue>& values() const { return values_; }

 private:
  std::deque<PickleValue> values_;
  size_t items_ = 0;
};

// What a global may stand for.
enum PickleMeaning : int {
  kMakesDict = 1,    // called: an empty dict, or one of the pairs given
  kMakesSequence,    // called: its first argument as a list (set, torch.Size); nothing given: empty
  kMakesOpaque,      // called or built upon: data that is of no interest
  kFirstCallersOwn,  // from here on: the caller's; calling gives a kObject
};

struct PickleGlobal {
  std::string_view name;  // "collections.OrderedDict"
  int meaning;
};

struct PickleResult {
  PickleValue* value;
  size_t end;  // offset behind the STOP opcode
};

// Reads the pickle that begins at `offset` of `bytes` (which must outlive the heap). `globals` is sorted by name.
// INVALID_ARGUMENT: a global outside the table, by name. DATA_LOSS: truncated or damaged, with the offset.
// RESOURCE_EXHAUSTED: too many values.
absl::StatusOr<PickleResult> ReadPickle(std::span<const std::byte> bytes, size_t offset,
                                        std::span<const PickleGlobal> globals, PickleHeap& heap);

}  // namespace slipway
