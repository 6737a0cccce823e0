#include "convert/import/checkpoint/torch_tensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "common/base/error.h"

namespace slipway {
namespace {

using Kind = PickleValue::Kind;

constexpr int kMaxDepth = 64;
constexpr size_t kMaxVisits = 4u << 20;
constexpr size_t kMaxTensors = 1u << 20;
constexpr size_t kMaxNameBytes = 4096;

enum TorchMeaning : int {
  kRebuildTensor = kFirstCallersOwn,  // storage, offset, size, stride[, requires_grad, hooks, metadata]
  kRebuildTensorV3,                   // …, dtype at 6
  kRebuildParameter,                  // data, …
  kRebuildFromType,                   // function, class, its arguments, state
  kUnreadTensor,                      // sparse, quantised, …
  kStorage = 100,                     // + DataType
  kUnreadStorage = 200,               // + bytes an element
  kDtype = 300,                       // + DataType
  kUnreadDtype = 400,
};

constexpr int StorageOf(DataType type) { return kStorage + static_cast<int>(type); }
constexpr int DtypeOf(DataType type) { return kDtype + static_cast<int>(type); }

constexpr std::array kGlobals = std::to_array<PickleGlobal>({
    {"__builtin__.bytearray", kMakesOpaque},
    {"__builtin__.dict", kMakesDict},
    {"__builtin__.list", kMakesSequence},
    {"__builtin__.set", kMakesSequence},
    {"_codecs.encode", kMakesOpaque},
    {"builtins.bytearray", kMakesOpaque},
    {"builtins.dict", kMakesDict},
    {"builtins.list", kMakesSequence},
    {"builtins.set", kMakesSequence},
    {"collections.Counter", kMakesDict},
    {"collections.OrderedDict", kMakesDict},
    {"collections.defaultdict", kMakesDict},
    {"numpy._core.multiarray._reconstruct", kMakesOpaque},
    {"numpy._core.multiarray.scalar", kMakesOpaque},
    {"numpy.core.multiarray._reconstruct", kMakesOpaque},
    {"numpy.core.multiarray.scalar", kMakesOpaque},
    {"numpy.dtype", kMakesOpaque},
    {"numpy.ndarray", kMakesOpaque},
    {"torch.BFloat16Storage", StorageOf(DataType::kBFloat16)},
    {"torch.BoolStorage", StorageOf(DataType::kBool)},
    {"torch.ByteStorage", StorageOf(DataType::kUInt8)},
    {"torch.CharStorage", StorageOf(DataType::kInt8)},
    {"torch.ComplexDoubleStorage", kUnreadStorage + 16},
    {"torch.ComplexFloatStorage", kUnreadStorage + 8},
    {"torch.DoubleStorage", StorageOf(DataType::kFloat64)},
    {"torch.FloatStorage", StorageOf(DataType::kFloat32)},
    {"torch.HalfStorage", StorageOf(DataType::kFloat16)},
    {"torch.IntStorage", StorageOf(DataType::kInt32)},
    {"torch.LongStorage", StorageOf(DataType::kInt64)},
    {"torch.QInt32Storage", kUnreadStorage + 4},
    {"torch.QInt8Storage", kUnreadStorage + 1},
    {"torch.QUInt2x4Storage", kUnreadStorage + 1},
    {"torch.QUInt4x2Storage", kUnreadStorage + 1},
    {"torch.QUInt8Storage", kUnreadStorage + 1},
    {"torch.ShortStorage", StorageOf(DataType::kInt16)},
    {"torch.Size", kMakesSequence},
    {"torch.Tensor", kMakesOpaque},
    {"torch.UntypedStorage", StorageOf(DataType::kUInt8)},
    {"torch._tensor._rebuild_from_type_v2", kRebuildFromType},
    {"torch._utils._rebuild_meta_tensor_no_storage", kUnreadTensor},
    {"torch._utils._rebuild_nested_tensor", kUnreadTensor},
    {"torch._utils._rebuild_parameter", kRebuildParameter},
    {"torch._utils._rebuild_parameter_with_state", kRebuildParameter},
    {"torch._utils._rebuild_qtensor", kUnreadTensor},
    {"torch._utils._rebuild_sparse_csr_tensor", kUnreadTensor},
    {"torch._utils._rebuild_sparse_tensor", kUnreadTensor},
    {"torch._utils._rebuild_tensor", kRebuildTensor},
    {"torch._utils._rebuild_tensor_v2", kRebuildTensor},
    {"torch._utils._rebuild_tensor_v3", kRebuildTensorV3},
    {"torch.bfloat16", DtypeOf(DataType::kBFloat16)},
    {"torch.bool", DtypeOf(DataType::kBool)},
    {"torch.complex128", kUnreadDtype},
    {"torch.complex32", kUnreadDtype},
    {"torch.complex64", kUnreadDtype},
    {"torch.device", kMakesOpaque},
    {"torch.float16", DtypeOf(DataType::kFloat16)},
    {"torch.float32", DtypeOf(DataType::kFloat32)},
    {"torch.float64", DtypeOf(DataType::kFloat64)},
    {"torch.float8_e4m3fn", kUnreadDtype},
    {"torch.float8_e4m3fnuz", kUnreadDtype},
    {"torch.float8_e5m2", kUnreadDtype},
    {"torch.float8_e5m2fnuz", kUnreadDtype},
    {"torch.float8_e8m0fnu", kUnreadDtype},
    {"torch.int16", DtypeOf(DataType::kInt16)},
    {"torch.int32", DtypeOf(DataType::kInt32)},
    {"torch.int64", DtypeOf(DataType::kInt64)},
    {"torch.int8", DtypeOf(DataType::kInt8)},
    {"torch.nn.parameter.Buffer", kMakesOpaque},
    {"torch.nn.parameter.Parameter", kMakesOpaque},
    {"torch.per_channel_affine", kMakesOpaque},
    {"torch.per_tensor_affine", kMakesOpaque},
    {"torch.qint32", kUnreadDtype},
    {"torch.qint8", kUnreadDtype},
    {"torch.quint8", kUnreadDtype},
    {"torch.serialization._get_layout", kMakesOpaque},
    {"torch.storage.TypedStorage", StorageOf(DataType::kUInt8)},
    {"torch.storage.UntypedStorage", StorageOf(DataType::kUInt8)},
    {"torch.uint16", DtypeOf(DataType::kUInt16)},
    {"torch.uint32", DtypeOf(DataType::kUInt32)},
    {"torch.uint64", DtypeOf(DataType::kUInt64)},
    {"torch.uint8", DtypeOf(DataType::kUInt8)},
});
static_assert(std::ranges::is_sorted(kGlobals, {}, &PickleGlobal::name));

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<uint8_t>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

// A tensor as the pickle describes it.
struct Layout {
  StorageReference storage;
  DataType type;
  int64_t offset;
  std::vector<int64_t> shape, strides;
};

class Collector {
 public:
  explicit Collector(const TorchFile& file)
      : file_(file), copy_budget_((uint64_t{64} << 20) + 4 * file.file->bytes().size()) {}

  absl::Status Visit(const PickleValue& value, const std::string& name, int depth) {
    if (++visits_ > kMaxVisits) return ResourceExhausted("the checkpoint nests more than {} values", kMaxVisits);
    if (depth > kMaxDepth) return ResourceExhausted("'{}': nested deeper than {}", name.substr(0, 200), kMaxDepth);
    if (name.size() > kMaxNameBytes)
      return ResourceExhausted("'{}…': a name of {} bytes", name.substr(0, 200), name.size());
    switch (value.kind) {
      case Kind::kDict:
        if (value.items.size() % 2 != 0) return DataLoss("damaged pickle: '{}' has a key without a value", name);
        for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
          ASSIGN_OR_RETURN(const std::optional<std::string> key, KeyOf(*value.items[i]));
          if (key) RETURN_IF_ERROR(Visit(*value.items[i + 1], Join(name, *key), depth + 1));
        }
        return absl::OkStatus();
      case Kind::kList:
      case Kind::kTuple:
        for (size_t i = 0; i < value.items.size(); ++i) {
          RETURN_IF_ERROR(Visit(*value.items[i], Join(name, std::to_string(i)), depth + 1));
        }
        return absl::OkStatus();
      case Kind::kObject:
        if (value.meaning == kMakesOpaque) return absl::OkStatus();
        return AddTensor(value, name);
      default:
        return absl::OkStatus();
    }
  }

  std::vector<NamedTensor> Take() { return std::move(tensors_); }

 private:
  static std::string Join(const std::string& name, std::string_view key) {
    return name.empty() ? std::string(key) : fmt::format("{}.{}", name, key);
  }

  static absl::StatusOr<std::optional<std::string>> KeyOf(const PickleValue& key) {
    if (key.kind == Kind::kInt || key.kind == Kind::kBool) return std::to_string(key.integer);
    if (key.kind != Kind::kString) return std::nullopt;
    if (!IsUtf8(key.text) || key.text.find('\0') != std::string_view::npos)
      return DataLoss("damaged pickle: a key is no text");
    return std::string(key.text);
  }

  // Parameters and subclasses wrap a plain tensor.
  absl::StatusOr<Layout> Unwrap(const PickleValue& object, const std::string& name, int depth) {
    const auto& arguments = object.items;
    const auto damaged = [&name](std::string_view what) {
      return DataLoss("damaged pickle: tensor '{}' {}", name, what);
    };
    if (depth > 4) return damaged("is wrapped too deeply");
    switch (object.meaning) {
      case kRebuildParameter:
        if (arguments.empty() || arguments[0]->kind != Kind::kObject) return damaged("is a parameter without data");
        return Unwrap(*arguments[0], name, depth + 1);
      case kRebuildFromType: {
        if (arguments.size() < 3 || arguments[0]->kind != Kind::kGlobal || arguments[2]->kind != Kind::kTuple)
          return damaged("is rebuilt from nothing");
        PickleValue inner;
        inner.kind = Kind::kObject;
        inner.meaning = arguments[0]->meaning;
        inner.text = arguments[0]->text;
        inner.items = arguments[2]->items;
        return Unwrap(inner, name, depth + 1);
      }
      case kUnreadTensor:
        return Unimplemented("tensor '{}' is made by {}: only dense tensors are read", name, object.text);
      case kRebuildTensor:
      case kRebuildTensorV3:
        break;
      default:
        return damaged(fmt::format("is made by {}, which makes no tensor", object.text));
    }
    if (arguments.size() < 4 || arguments[0]->kind != Kind::kPersistent || arguments[1]->kind != Kind::kInt)
      return damaged("has no storage");
    Layout layout;
    ASSIGN_OR_RETURN(layout.storage, ReadStorageReference(*arguments[0]));
    layout.type = layout.storage.type;
    layout.offset = arguments[1]->integer;
    if (object.meaning == kRebuildTensorV3) {
      if (arguments.size() < 7 || arguments[6]->kind != Kind::kGlobal) return damaged("has no dtype");
      const int meaning = arguments[6]->meaning;
      if (meaning == kUnreadDtype)
        return Unimplemented("tensor '{}' is of dtype {}, which is not read; save it as float32", name,
                             arguments[6]->text);
      if (meaning < kDtype || meaning > kUnreadDtype) return damaged("has no dtype");
      layout.type = static_cast<DataType>(meaning - kDtype);
      const auto bytes = static_cast<int64_t>(SizeOf(layout.type));
      if (layout.storage.element_bytes != bytes) {  // an untyped storage counts bytes
        if (layout.storage.element_bytes != 1) return damaged("has a dtype that its storage has not");
        layout.storage.element_bytes = bytes;
        layout.storage.elements /= bytes;
        layout.storage.view_elements /= bytes;
      }
    } else if (arguments.size() > 6 && arguments[6]->kind == Kind::kDict) {
      for (size_t i = 0; i + 1 < arguments[6]->items.size(); i += 2) {
        const PickleValue& flag = *arguments[6]->items[i + 1];
        if (arguments[6]->items[i]->text == "neg" && flag.kind == Kind::kBool && flag.integer != 0) {
          return Unimplemented("tensor '{}' is a lazily negated view; save it after .resolve_neg()", name);
        }
      }
    }
    if (layout.type == DataType::kUndefined) {
      return Unimplemented(
          "tensor '{}' is stored as {}: complex, quantised and packed numbers are not read; save it as float32", name,
          layout.storage.type_name);
    }
    for (const auto& [from, to] : {std::pair{arguments[2], &layout.shape}, std::pair{arguments[3], &layout.strides}}) {
      if (from->kind != Kind::kTuple && from->kind != Kind::kList) return damaged("has no sizes");
      if (from->items.size() > 64) return damaged("has too many axes");
      for (const PickleValue* size : from->items) {
        if (size->kind != Kind::kInt || size->integer < 0) return damaged("has a size that is no count");
        to->push_back(size->integer);
      }
    }
    if (layout.shape.size() != layout.strides.size() || layout.offset < 0)
      return damaged("has contradicting sizes and strides");
    return layout;
  }

  absl::Status AddTensor(const PickleValue& object, const std::string& name) {
    if (tensors_.size() >= kMaxTensors)
      return ResourceExhausted("the checkpoint holds more than {} tensors", kMaxTensors);
    ASSIGN_OR_RETURN(const Layout layout, Unwrap(object, name, 0));
    const int64_t element = layout.storage.element_bytes;
    if (file_.big_endian && element > 1) {
      return Unimplemented(
          "tensor '{}' is stored big-endian, which is not read; load it on the machine that wrote it and save it on a "
          "little-endian one",
          name);
    }
    const int64_t count = ElementCount(layout.shape);
    int64_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow(count, element, &bytes))
      return DataLoss("tensor '{}': its shape {} is beyond all memory", name, ToString(layout.shape));
    if (count == 0) {
      tensors_.push_back({name, Tensor(layout.type, layout.shape, {}, file_.file)});
      return absl::OkStatus();
    }
    int64_t last = layout.offset;  // the largest index that the tensor reads
    for (size_t i = 0; i < layout.shape.size(); ++i) {
      int64_t reach = 0;
      if (__builtin_mul_overflow(layout.shape[i] - 1, layout.strides[i], &reach) ||
          __builtin_add_overflow(last, reach, &last)) {
        return DataLoss("tensor '{}': its strides reach beyond all memory", name);
      }
    }
    if (last >= layout.storage.view_elements) {
      return DataLoss("tensor '{}' reads element {} of a storage of {}", name, last, layout.storage.view_elements);
    }
    absl::StatusOr<std::span<const std::byte>> storage = file_.storage(layout.storage);
    if (!storage.ok()) return Annotate(storage.status(), fmt::format("tensor '{}'", name));
    const std::span<const std::byte> view = storage->subspan(static_cast<size_t>(layout.storage.view_offset * element));
    if (IsContiguous(layout)) {
      tensors_.push_back(
          {name,
           Tensor(layout.type, layout.shape,
                  view.subspan(static_cast<size_t>(layout.offset * element), static_cast<size_t>(bytes)), file_.file)});
      return absl::OkStatus();
    }
    if (static_cast<uint64_t>(bytes) > copy_budget_) {
      return ResourceExhausted("tensor '{}': strided views of the checkpoint unfold to more than four times its size",
                               name);
    }
    copy_budget_ -= static_cast<uint64_t>(bytes);
    tensors_.push_back({name, Gather(layout, view)});
    return absl::OkStatus();
  }

  static bool IsContiguous(const Layout& layout) {
    int64_t expected = 1;
    for (size_t i = layout.shape.size(); i-- > 0;) {
      if (layout.shape[i] == 1) continue;
      if (layout.strides[i] != expected) return false;
      expected *= layout.shape[i];
    }
    return true;
  }

  static Tensor Gather(const Layout& layout, std::span<const std::byte> view) {
    auto [tensor, bytes] = Tensor::Allocate(layout.type, layout.shape);
    const auto element = static_cast<size_t>(layout.storage.element_bytes);
    std::vector<int64_t> index(layout.shape.size(), 0);
    int64_t at = layout.offset;
    for (size_t to = 0; to < bytes.size(); to += element) {
      std::memcpy(bytes.data() + to, view.data() + static_cast<size_t>(at) * element, element);
      for (size_t axis = index.size(); axis-- > 0;) {
        at += layout.strides[axis];
        if (++index[axis] < layout.shape[axis]) break;
        at -= layout.strides[axis] * layout.shape[axis];
        index[axis] = 0;
      }
    }
    return tensor;
  }

  const TorchFile& file_;
  uint64_t copy_budget_;
  size_t visits_ = 0;
  std::vector<NamedTensor> tensors_;
};

}  // namespace

std::span<const PickleGlobal> TorchGlobals() { return kGlobals; }

absl::StatusOr<StorageReference> ReadStorageReference(const PickleValue& persistent) {
  const auto damaged = [](std::string_view what) { return DataLoss("damaged pickle: a storage reference {}", what); };
  if (persistent.items.empty() || persistent.items[0]->kind != Kind::kTuple) return damaged("that is no tuple");
  const auto& id = persistent.items[0]->items;
  if (!id.empty() && id[0]->kind == Kind::kString && id[0]->text == "module") {
    return InvalidArgument(
        "the checkpoint holds a whole pickled module with its code, not a state dict: refused, and not run. Save "
        "model.state_dict() alone");
  }
  if (id.size() < 5 || id[0]->kind != Kind::kString || id[0]->text != "storage") return damaged("of an unknown form");
  if (id[1]->kind != Kind::kGlobal || id[2]->kind != Kind::kString || id[4]->kind != Kind::kInt || id[4]->integer < 0)
    return damaged("of an unknown form");
  StorageReference reference;
  reference.key = id[2]->text;
  reference.type_name = id[1]->text;
  const int meaning = id[1]->meaning;
  if (meaning >= kStorage && meaning < kUnreadStorage) {
    reference.type = static_cast<DataType>(meaning - kStorage);
    reference.element_bytes = static_cast<int64_t>(SizeOf(reference.type));
  } else if (meaning >= kUnreadStorage && meaning < kDtype) {
    reference.element_bytes = meaning - kUnreadStorage;
  } else {
    return damaged(fmt::format("to {}, which is no storage", id[1]->text));
  }
  reference.elements = id[4]->integer;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(reference.elements, reference.element_bytes, &bytes)) return damaged("beyond all memory");
  reference.view_elements = reference.elements;
  if (id.size() > 5 && id[5]->kind == Kind::kTuple) {
    const auto& view = id[5]->items;
    if (view.size() != 3 || view[1]->kind != Kind::kInt || view[2]->kind != Kind::kInt || view[1]->integer < 0 ||
        view[2]->integer < 0 || view[1]->integer > reference.elements ||
        view[2]->integer > reference.elements - view[1]->integer) {
      return damaged("with a view outside its storage");
    }
    reference.view_offset = view[1]->integer;
    reference.view_elements = view[2]->integer;
  }
  return reference;
}

absl::StatusOr<std::vector<NamedTensor>> CollectTensors(const PickleValue& root, const TorchFile& file) {
  Collector collector(file);
  RETURN_IF_ERROR(collector.Visit(root, "", 0));
  return collector.Take();
}

}  // namespace slipway
