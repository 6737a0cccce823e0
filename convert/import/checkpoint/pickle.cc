#include "convert/import/checkpoint/pickle.h"

#include "convert/import/checkpoint/pickle_machine.h"

namespace slipway {
namespace pickle {

// Opcodes as CPython's Lib/pickletools.py documents them.
absl::Status Machine::Step(uint8_t opcode) {
  switch (opcode) {
    case 0x80: {  // PROTO
      ASSIGN_OR_RETURN(const uint8_t protocol, Number<uint8_t>());
      if (protocol > kHighestProtocol)
        return Damaged(fmt::format("protocol {} is newer than {}", protocol, kHighestProtocol));
      return absl::OkStatus();
    }
    case 0x95:  // FRAME: only a hint about buffering
      return Number<uint64_t>().status();
    case '.':
      stopped_ = true;
      return absl::OkStatus();
    case '(':
      marks_.push_back(stack_.size());
      if (marks_.size() > kMaxStack) return ResourceExhausted("the pickle sets more than {} marks", kMaxStack);
      return absl::OkStatus();
    case '0':  // POP: of a value, or of a mark with nothing above it
      if (!marks_.empty() && stack_.size() == marks_.back()) {
        marks_.pop_back();
        return absl::OkStatus();
      }
      return Pop().status();
    case '1':
      return PopToMark().status();
    case '2': {
      ASSIGN_OR_RETURN(PickleValue * top, Top());
      stack_.push_back(top);
      return absl::OkStatus();
    }
    case 'N':
      return Push(Kind::kNone);
    case 0x88:
      return Push(Kind::kBool, 1);
    case 0x89:
      return Push(Kind::kBool, 0);
    case 'J': {
      ASSIGN_OR_RETURN(const int32_t value, Number<int32_t>());
      return Push(Kind::kInt, value);
    }
    case 'K': {
      ASSIGN_OR_RETURN(const uint8_t value, Number<uint8_t>());
      return Push(Kind::kInt, value);
    }
    case 'M': {
      ASSIGN_OR_RETURN(const uint16_t value, Number<uint16_t>());
      return Push(Kind::kInt, value);
    }
    case 'I':
    case 'L': {
      ASSIGN_OR_RETURN(const std::string_view line, Line());
      return PushDecimal(line);
    }
    case 0x8a:
      return PushCountedLong<uint8_t>();
    case 0x8b:
      return PushCountedLong<uint32_t>();
    case 'F': {
      ASSIGN_OR_RETURN(const std::string_view line, Line());
      return PushReal(std::strtod(std::string(line).c_str(), nullptr));
    }
    case 'G': {  // big-endian
      ASSIGN_OR_RETURN(const uint64_t bits, Number<uint64_t>());
      return PushReal(std::bit_cast<double>(__builtin_bswap64(bits)));
    }
    case 'S': {
      ASSIGN_OR_RETURN(const std::string_view line, Line());
      return PushQuoted(line);
    }
    case 'V': {
      ASSIGN_OR_RETURN(const std::string_view line, Line());
      return Push(Kind::kString, 0, line);
    }
    case 'U':   // SHORT_BINSTRING
    case 'C':   // SHORT_BINBYTES
    case 0x8c:  // SHORT_BINUNICODE
      return PushText<uint8_t>();
    case 'T':  // BINSTRING
    case 'X':  // BINUNICODE
    case 'B':  // BINBYTES
      return PushText<uint32_t>();
    case 0x8d:  // BINUNICODE8
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      return PushText<uint64_t>();
    case ')':
      return PushItems(Kind::kTuple, {});
    case 0x85:
      return PushTupleOf(1);
    case 0x86:
      return PushTupleOf(2);
    case 0x87:
      return PushTupleOf(3);
    case 't': {
      ASSIGN_OR_RETURN(std::vector<PickleValue*> items, PopToMark());
      return PushItems(Kind::kTuple, std::move(items));
    }
    case ']':
    case 0x8f:  // EMPTY_SET
      return PushItems(Kind::kList, {});
    case 'l':
    case 0x91: {  // FROZENSET
      ASSIGN_OR_RETURN(std::vector<PickleValue*> items, PopToMark());
      return PushItems(Kind::kList, std::move(items));
    }
    case 'a': {
      ASSIGN_OR_RETURN(PickleValue * item, Pop());
      return Append({item});
    }
    case 'e':
    case 0x90: {  // ADDITEMS
      ASSIGN_OR_RETURN(const std::vector<PickleValue*> items, PopToMark());
      return Append(items);
    }
    case '}':
      return PushItems(Kind::kDict, {});
    case 'd': {
      ASSIGN_OR_RETURN(std::vector<PickleValue*> items, PopToMark());
      if (items.size() % 2 != 0) return Damaged("a key without a value");
      return PushItems(Kind::kDict, std::move(items));
    }
    case 's': {
      ASSIGN_OR_RETURN(PickleValue * value, Pop());
      ASSIGN_OR_RETURN(PickleValue * key, Pop());
      return SetItems({key, value});
    }
    case 'u': {
      ASSIGN_OR_RETURN(const std::vector<PickleValue*> items, PopToMark());
      return SetItems(items);
    }
    case 'p': {
      ASSIGN_OR_RETURN(const uint64_t index, DecimalIndex());
      return Remember(index);
    }
    case 'q': {
      ASSIGN_OR_RETURN(const uint8_t index, Number<uint8_t>());
      return Remember(index);
    }
    case 'r': {
      ASSIGN_OR_RETURN(const uint32_t index, Number<uint32_t>());
      return Remember(index);
    }
    case 0x94:  // MEMOIZE
      return Remember(memo_.size());
    case 'g': {
      ASSIGN_OR_RETURN(const uint64_t index, DecimalIndex());
      return Recall(index);
    }
    case 'h': {
      ASSIGN_OR_RETURN(const uint8_t index, Number<uint8_t>());
      return Recall(index);
    }
    case 'j': {
      ASSIGN_OR_RETURN(const uint32_t index, Number<uint32_t>());
      return Recall(index);
    }
    case 'c':
    case 'i': {
      ASSIGN_OR_RETURN(const std::string_view module, Line());
      ASSIGN_OR_RETURN(const std::string_view name, Line());
      ASSIGN_OR_RETURN(PickleValue * value, Global(module, name));
      if (opcode == 'i') {
        ASSIGN_OR_RETURN(std::vector<PickleValue*> arguments, PopToMark());
        ASSIGN_OR_RETURN(value, Call(*value, arguments));
      }
      stack_.push_back(value);
      return absl::OkStatus();
    }
    case 0x93: {  // STACK_GLOBAL
      ASSIGN_OR_RETURN(const PickleValue* name, Pop());
      ASSIGN_OR_RETURN(const PickleValue* module, Pop());
      if (name->kind != Kind::kString || module->kind != Kind::kString) return Damaged("a global without a name");
      ASSIGN_OR_RETURN(PickleValue * value, Global(module->text, name->text));
      stack_.push_back(value);
      return absl::OkStatus();
    }
    case 'R':
    case 0x81: {  // NEWOBJ
      ASSIGN_OR_RETURN(const PickleValue* arguments, Pop());
      ASSIGN_OR_RETURN(const PickleValue* callee, Pop());
      if (arguments->kind != Kind::kTuple) return Damaged("a call without arguments");
      ASSIGN_OR_RETURN(PickleValue * value, Call(*callee, arguments->items));
      stack_.push_back(value);
      return absl::OkStatus();
    }
    case 0x92: {  // NEWOBJ_EX
      RETURN_IF_ERROR(Pop().status());
      ASSIGN_OR_RETURN(const PickleValue* arguments, Pop());
      ASSIGN_OR_RETURN(const PickleValue* callee, Pop());
      ASSIGN_OR_RETURN(PickleValue * value, Call(*callee, arguments->items));
      stack_.push_back(value);
      return absl::OkStatus();
    }
    case 'o': {
      ASSIGN_OR_RETURN(std::vector<PickleValue*> items, PopToMark());
      if (items.empty()) return Damaged("an object without a class");
      const PickleValue* callee = items.front();
      items.erase(items.begin());
      ASSIGN_OR_RETURN(PickleValue * value, Call(*callee, items));
      stack_.push_back(value);
      return absl::OkStatus();
    }
    case 'b':  // BUILD: attributes (a state dict's _metadata); they hold no weights
      RETURN_IF_ERROR(Pop().status());
      return Top().status();
    case 'P': {
      ASSIGN_OR_RETURN(const std::string_view line, Line());
      RETURN_IF_ERROR(Push(Kind::kString, 0, line));
      ASSIGN_OR_RETURN(PickleValue * id, Pop());
      return PushPersistent(id);
    }
    case 'Q': {
      ASSIGN_OR_RETURN(PickleValue * id, Pop());
      return PushPersistent(id);
    }
    case 0x82:
    case 0x83:
    case 0x84:
      return InvalidArgument(
          "the pickle calls on Python's extension registry (opcode at offset {}): refused, and not run", opcode_at_);
    case 0x97:
    case 0x98:
      return Damaged("out-of-band buffers, which no file holds");
    default:
      return Damaged("unknown opcode");
  }
}

}  // namespace pickle

PickleValue* PickleHeap::New(PickleValue::Kind kind) {
  if (values_.size() >= kMaxValues) return nullptr;
  values_.emplace_back().kind = kind;
  return &values_.back();
}

bool PickleHeap::Spend(size_t count) {
  items_ += count;
  return items_ <= kMaxItems;
}

absl::StatusOr<PickleResult> ReadPickle(std::span<const std::byte> bytes, size_t offset,
                                        std::span<const PickleGlobal> globals, PickleHeap& heap) {
  if (offset > bytes.size())
    return DataLoss("truncated: a pickle should begin at offset {}, the file ends at {}", offset, bytes.size());
  return pickle::Machine(bytes, offset, globals, heap).Run();
}

}  // namespace slipway
