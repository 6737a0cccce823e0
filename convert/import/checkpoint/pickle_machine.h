// The stack machine behind ReadPickle: bytes, stack, memo, and what opcodes do. Only pickle.cc includes it.
#pragma once

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/error.h"
#include "convert/import/checkpoint/pickle.h"

namespace slipway::pickle {

using Kind = PickleValue::Kind;

inline constexpr int kHighestProtocol = 5;
inline constexpr size_t kMaxStack = 4u << 20;

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, size_t offset, std::span<const PickleGlobal> globals, PickleHeap& heap)
      : bytes_(bytes), at_(offset), globals_(globals), heap_(heap) {}

  absl::StatusOr<PickleResult> Run() {
    while (!stopped_) {
      opcode_at_ = at_;
      ASSIGN_OR_RETURN(const uint8_t opcode, Number<uint8_t>());
      RETURN_IF_ERROR(Step(opcode));
      if (stack_.size() > kMaxStack) return ResourceExhausted("the pickle stacks more than {} values", kMaxStack);
    }
    ASSIGN_OR_RETURN(PickleValue * value, Pop());
    return PickleResult{value, at_};
  }

 private:
  // --- bytes
  absl::StatusOr<std::string_view> Take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      return DataLoss("truncated: the pickle needs {} bytes at offset {}, the file ends at {}", count, at_,
                      bytes_.size());
    }
    const std::string_view taken(reinterpret_cast<const char*>(bytes_.data()) + at_, count);
    at_ += count;
    return taken;
  }
  template <typename T>
  absl::StatusOr<T> Number() {
    static_assert(std::endian::native == std::endian::little);
    ASSIGN_OR_RETURN(const std::string_view raw, Take(sizeof(T)));
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  absl::StatusOr<std::string_view> Line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_);
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) return DataLoss("truncated: the pickle's line at offset {} has no end", at_);
    at_ += end + 1;
    return rest.substr(0, end);
  }

  // --- stack
  absl::Status Damaged(std::string_view what) const {
    return DataLoss("damaged pickle: {} (opcode 0x{:02x} at offset {})", what,
                    opcode_at_ < bytes_.size() ? static_cast<unsigned>(bytes_[opcode_at_]) : 0u, opcode_at_);
  }
  absl::StatusOr<PickleValue*> New(Kind kind) {
    PickleValue* value = heap_.New(kind);
    if (value == nullptr) return ResourceExhausted("the pickle holds more than {} values", PickleHeap::kMaxValues);
    return value;
  }
  absl::Status Push(Kind kind, int64_t integer = 0, std::string_view text = {}) {
    ASSIGN_OR_RETURN(PickleValue * value, New(kind));
    value->integer = integer;
    value->text = text;
    stack_.push_back(value);
    return absl::OkStatus();
  }
  size_t Floor() const { return marks_.empty() ? 0 : marks_.back(); }
  absl::StatusOr<PickleValue*> Pop() {
    if (stack_.size() <= Floor()) return Damaged("the stack is empty");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  absl::StatusOr<PickleValue*> Top() {
    if (stack_.size() <= Floor()) return Damaged("the stack is empty");
    return stack_.back();
  }
  absl::StatusOr<std::vector<PickleValue*>> PopToMark() {
    if (marks_.empty()) return Damaged("no mark");
    std::vector<PickleValue*> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  absl::Status Spend(size_t items) {
    if (!heap_.Spend(items))
      return ResourceExhausted("the pickle's containers hold more than {} items", PickleHeap::kMaxItems);
    return absl::OkStatus();
  }
  absl::Status PushItems(Kind kind, std::vector<PickleValue*> items) {
    RETURN_IF_ERROR(Spend(items.size()));
    ASSIGN_OR_RETURN(PickleValue * value, New(kind));
    value->items = std::move(items);
    stack_.push_back(value);
    return absl::OkStatus();
  }
  absl::Status PushTupleOf(int count) {
    std::vector<PickleValue*> items(static_cast<size_t>(count));
    for (int i = count - 1; i >= 0; --i) {
      ASSIGN_OR_RETURN(items[static_cast<size_t>(i)], Pop());
    }
    return PushItems(Kind::kTuple, std::move(items));
  }

  // --- opcodes that need more than a line
  absl::Status PushLong(std::string_view raw) {
    if (raw.size() > 8) return Push(Kind::kLong, 0, raw);
    uint64_t value = 0;
    for (size_t i = 0; i < raw.size(); ++i) value |= uint64_t{static_cast<uint8_t>(raw[i])} << (8 * i);
    if (!raw.empty() && raw.size() < 8 && (static_cast<uint8_t>(raw.back()) & 0x80))
      value |= ~uint64_t{0} << (8 * raw.size());
    return Push(Kind::kInt, static_cast<int64_t>(value));
  }
  absl::Status PushDecimal(std::string_view digits) {
    if (digits == "00" || digits == "01") return Push(Kind::kBool, digits[1] - '0');
    if (digits.ends_with('L')) digits.remove_suffix(1);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc::result_out_of_range) return Push(Kind::kLong, 0, digits);
    if (error != std::errc() || end != digits.data() + digits.size()) return Damaged("no integer");
    return Push(Kind::kInt, value);
  }
  absl::Status PushReal(double real) {
    ASSIGN_OR_RETURN(PickleValue * value, New(Kind::kFloat));
    value->real = real;
    stack_.push_back(value);
    return absl::OkStatus();
  }
  // Escapes of protocol 0 text stay as they are: no name that matters has any.
  absl::Status PushQuoted(std::string_view line) {
    if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"'))
      return Damaged("no quoted string");
    return Push(Kind::kString, 0, line.substr(1, line.size() - 2));
  }
  absl::StatusOr<PickleValue*> Global(std::string_view module, std::string_view name) {
    std::string full = fmt::format("{}.{}", module, name);
    const auto found = std::ranges::lower_bound(globals_, std::string_view(full), {}, &PickleGlobal::name);
    if (found == globals_.end() || found->name != full) {
      const auto in_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; };
      if (full.size() > 1024 || !std::ranges::all_of(full, in_name)) return Damaged("a global whose name is none");
      return InvalidArgument(
          "the pickle names '{}', which is no part of a tensor checkpoint: refused, and not run. Save "
          "model.state_dict() alone",
          full);
    }
    ASSIGN_OR_RETURN(PickleValue * value, New(Kind::kGlobal));
    value->meaning = found->meaning;
    value->text = found->name;
    return value;
  }
  absl::StatusOr<PickleValue*> Call(const PickleValue& callee, const std::vector<PickleValue*>& arguments) {
    if (callee.kind != Kind::kGlobal) return Damaged("a call of what is no function");
    RETURN_IF_ERROR(Spend(arguments.size() + (arguments.empty() ? 0 : 2 * arguments[0]->items.size())));
    if (callee.meaning == kMakesDict) {
      ASSIGN_OR_RETURN(PickleValue * dict, New(Kind::kDict));
      // OrderedDict([(key, value), …]) of protocol 0 and 1; a defaultdict's factory and the like are of no interest.
      if (!arguments.empty() && arguments[0]->kind == Kind::kList) {
        for (const PickleValue* pair : arguments[0]->items) {
          if (pair->items.size() != 2) return Damaged("a dictionary of what are no pairs");
          dict->items.insert(dict->items.end(), pair->items.begin(), pair->items.end());
        }
      } else if (!arguments.empty() && arguments[0]->kind == Kind::kDict) {
        dict->items = arguments[0]->items;
      }
      return dict;
    }
    if (callee.meaning == kMakesSequence) {
      ASSIGN_OR_RETURN(PickleValue * list, New(Kind::kList));
      if (!arguments.empty()) list->items = arguments[0]->items;
      return list;
    }
    ASSIGN_OR_RETURN(PickleValue * object, New(Kind::kObject));
    object->meaning = callee.meaning;
    object->text = callee.text;
    object->items = arguments;
    return object;
  }
  absl::Status SetItems(const std::vector<PickleValue*>& items) {
    RETURN_IF_ERROR(Spend(items.size()));
    ASSIGN_OR_RETURN(PickleValue * target, Top());
    if (items.size() % 2 != 0) return Damaged("a key without a value");
    if (target->kind == Kind::kObject && target->meaning == kMakesOpaque) return absl::OkStatus();
    if (target->kind != Kind::kDict) return Damaged("items set on what is no dictionary");
    target->items.insert(target->items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }
  absl::Status Append(const std::vector<PickleValue*>& items) {
    RETURN_IF_ERROR(Spend(items.size()));
    ASSIGN_OR_RETURN(PickleValue * target, Top());
    if (target->kind == Kind::kObject && target->meaning == kMakesOpaque) return absl::OkStatus();
    if (target->kind != Kind::kList) return Damaged("items added to what is no list");
    target->items.insert(target->items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }
  absl::Status Remember(uint64_t index) {
    if (memo_.size() >= PickleHeap::kMaxValues)
      return ResourceExhausted("the pickle remembers more than {} values", memo_.size());
    ASSIGN_OR_RETURN(memo_[index], Top());
    return absl::OkStatus();
  }
  absl::Status Recall(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) return Damaged("a memo entry that was never made");
    stack_.push_back(found->second);
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> DecimalIndex() {
    ASSIGN_OR_RETURN(const std::string_view line, Line());
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size()) return Damaged("no memo index");
    return value;
  }
  absl::Status PushPersistent(PickleValue* id) { return PushItems(Kind::kPersistent, {id}); }
  template <typename Length>
  absl::Status PushText() {
    ASSIGN_OR_RETURN(const Length length, Number<Length>());
    ASSIGN_OR_RETURN(const std::string_view text, Take(length));
    return Push(Kind::kString, 0, text);
  }
  template <typename Length>
  absl::Status PushCountedLong() {
    ASSIGN_OR_RETURN(const Length length, Number<Length>());
    ASSIGN_OR_RETURN(const std::string_view raw, Take(length));
    return PushLong(raw);
  }

  absl::Status Step(uint8_t opcode);

  std::span<const std::byte> bytes_;
  size_t at_;
  size_t opcode_at_ = 0;
  std::span<const PickleGlobal> globals_;
  PickleHeap& heap_;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  absl::flat_hash_map<uint64_t, PickleValue*> memo_;
  bool stopped_ = false;
};

}  // namespace slipway::pickle
