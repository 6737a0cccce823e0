#include "convert/targets/ncnn/emitter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "common/base/error.h"

namespace slipway::ncnn {
namespace {

// Parameter ids of w, h, d, c in Input, MemoryData and Reshape.
constexpr int kWidth = 0, kHeight = 1, kChannels = 2, kDepth = 11;

// Ids of a blob's axes from the innermost out.
std::vector<int> AxisIds(size_t rank) {
  switch (rank) {
    case 1:
      return {kWidth};
    case 2:
      return {kWidth, kHeight};
    case 3:
      return {kWidth, kHeight, kChannels};
    default:
      return {kWidth, kHeight, kDepth, kChannels};
  }
}

// Letters of a blob's axes from the innermost out, as expressions name them.
std::string_view AxisLetters(size_t rank) { return rank == 4 ? "whdc" : std::string_view("whc").substr(0, rank); }

Params SizeParams(const Shape& shape) {
  Params params;
  const std::vector<int> ids = AxisIds(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = shape[shape.size() - 1 - i];
    params.emplace_back(ids[i], dim.IsKnown() ? dim.value() : 0);
  }
  std::ranges::sort(params, {}, [](const auto& param) { return param.first; });
  return params;
}

Tensor AsFloat32(const Tensor& tensor) { return tensor.Cast(DataType::kFloat32); }

}  // namespace

Weights Tagged(const Tensor& tensor) { return {AsFloat32(tensor), true}; }
Weights Untagged(const Tensor& tensor) { return {AsFloat32(tensor), false}; }

bool AllDropBatch(std::initializer_list<const Value*> values) {
  return std::ranges::all_of(values, [](const Value* value) { return value == nullptr || DropsBatch(*value); });
}
bool AllDropBatch(const std::vector<Value*>& values) {
  return std::ranges::all_of(values, [](const Value* value) { return value == nullptr || DropsBatch(*value); });
}

absl::StatusOr<Params> ReshapeParams(const Shape& from, const Shape& to) {
  if (static_cast<int64_t>(to.size()) > kMaxBlobRank)
    return Unimplemented("a blob has at most {} axes, {} has {}", kMaxBlobRank, ToString(to), to.size());
  const std::vector<int> ids = AxisIds(to.size());
  Params params;
  int open = 0;
  bool by_expression = false;
  for (size_t i = 0; i < to.size(); ++i) {
    const Dim& dim = to[to.size() - 1 - i];
    int64_t size = -1;
    if (dim.IsKnown()) {
      size = dim.value();
    } else if (i < from.size() && from[from.size() - 1 - i] == dim && (i < 2 || from.size() == to.size())) {
      size = 0;  // the input's size on the axis of the same letter
    } else {
      by_expression = ++open > 1;
    }
    params.emplace_back(ids[i], size);
  }
  if (!by_expression) {
    std::ranges::sort(params, {}, [](const auto& param) { return param.first; });
    return params;
  }
  // More than one size is neither known nor in its place: say them all by the input's.
  std::vector<std::string> sizes;
  bool rest_used = false;
  for (size_t i = 0; i < to.size(); ++i) {
    const Dim& dim = to[to.size() - 1 - i];
    const auto same = std::ranges::find(from, dim);
    if (dim.IsKnown()) {
      sizes.push_back(std::to_string(dim.value()));
    } else if (same != from.end()) {
      sizes.push_back(fmt::format("0{}", AxisLetters(from.size())[static_cast<size_t>(from.end() - same) - 1]));
    } else if (!rest_used) {
      rest_used = true;
      sizes.push_back("-1");
    } else {
      return Unimplemented("the sizes {} do not follow from {}", ToString(to), ToString(from));
    }
  }
  return Params{{6, fmt::format("{}", fmt::join(sizes, ","))}};
}

void Emitter::Input(const Value* value) {
  const std::string blob = Name(value);
  layers_.Add({"Input",
               layers_.UniqueLayer(blob),
               {},
               {blob},
               IsStatic(BlobShape(*value)) ? SizeParams(BlobShape(*value)) : Params{},
               {}});
}

std::string Emitter::Name(const Value* value) {
  const auto [at, fresh] = names_.try_emplace(value);
  if (fresh) at->second = layers_.UniqueBlob(value->name);
  return at->second;
}

std::string Emitter::Output(const Value* value) {
  if (value->producer != nullptr) return Name(value);
  const std::string blob = layers_.UniqueBlob(value->name + "_out");
  if (value->IsConstant()) {
    layers_.Add({"MemoryData",
                 layers_.UniqueLayer(blob),
                 {},
                 {blob},
                 SizeParams(BlobShape(*value)),
                 {Untagged(value->constant->Cast(DataType::kFloat32))}});
  } else {
    layers_.Add({"Noop", layers_.UniqueLayer(blob), {Name(value)}, {blob}, {}, {}});
  }
  return blob;
}

std::string Emitter::Temporary(const Node& node) {
  return layers_.UniqueBlob((node.name.empty() ? node.output()->name : node.name) + "_inner");
}

void Emitter::Add(std::string_view type, const Node& node, std::vector<std::string> inputs,
                  std::vector<std::string> outputs, Params params, std::vector<Weights> weights) {
  std::ranges::sort(params, {}, [](const auto& param) { return param.first; });
  layers_.Add({std::string(type), layers_.UniqueLayer(node.name.empty() ? node.output()->name : node.name),
               std::move(inputs), std::move(outputs), std::move(params), std::move(weights)});
}

absl::Status Emitter::AddReshape(const Node& node, std::string from_blob, const Shape& from, std::string to_blob,
                                 const Shape& to) {
  absl::StatusOr<Params> params = ReshapeParams(from, to);
  if (!params.ok()) return Annotate(params.status(), Describe(node));
  Add("Reshape", node, {std::move(from_blob)}, {std::move(to_blob)}, *std::move(params));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Emitter::Read(const BlobUse& use, const Node& node) {
  if (use.value->IsConstant()) {
    std::string blob = layers_.UniqueBlob(use.value->name);
    layers_.Add(
        {"MemoryData", layers_.UniqueLayer(blob), {}, {blob}, SizeParams(use.shape), {Untagged(*use.value->constant)}});
    return blob;
  }
  if (use.shape == BlobShape(*use.value)) return Name(use.value);
  std::string blob = Temporary(node);
  RETURN_IF_ERROR(AddReshape(node, Name(use.value), BlobShape(*use.value), blob, use.shape));
  return blob;
}

absl::Status Emitter::Layer(std::string_view type, const Node& node, const std::vector<BlobUse>& inputs,
                            const std::vector<BlobUse>& outputs, Params params, std::vector<Weights> weights) {
  std::vector<std::string> from, to;
  for (const BlobUse& use : inputs) {
    ASSIGN_OR_RETURN(from.emplace_back(), Read(use, node));
  }
  std::vector<const BlobUse*> reshaped;
  for (const BlobUse& use : outputs) {
    const bool as_it_lies = use.shape == BlobShape(*use.value);
    to.push_back(as_it_lies ? Name(use.value) : Temporary(node));
    if (!as_it_lies) reshaped.push_back(&use);
  }
  Add(type, node, std::move(from), to, std::move(params), std::move(weights));
  for (const BlobUse* use : reshaped) {
    const std::string& blob = to[static_cast<size_t>(use - outputs.data())];
    RETURN_IF_ERROR(AddReshape(node, blob, use->shape, Name(use->value), BlobShape(*use->value)));
  }
  return absl::OkStatus();
}

}  // namespace slipway::ncnn
