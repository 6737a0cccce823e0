#include "convert/targets/coreml/interface.h"

#include <algorithm>

#include "common/base/error.h"

namespace slipway::coreml_writer {
namespace {

constexpr int64_t kMaxLower = 4096;
constexpr int64_t kUpperBatch = 1024;
constexpr int64_t kUpperSize = 8192;
constexpr int64_t kUsualSize = 64;

// Whether every size that depends on symbols is at least 1 under `bindings`.
bool AllPositive(const std::vector<Dim>& sizes, const std::map<std::string, int64_t>& bindings) {
  return std::ranges::all_of(sizes, [&](const Dim& size) { return size.Evaluate(bindings).value_or(1) >= 1; });
}

coreml::ArrayFeatureType::ArrayDataType ArrayType(DataType type) {
  return IsFloat(type) ? coreml::ArrayFeatureType::FLOAT32 : coreml::ArrayFeatureType::INT32;
}

// "H" in "[1, 3, H, W]": what a size of an input is called; empty for a number or an expression.
std::string SymbolOf(const Dim& size) {
  std::vector<std::string> names;
  size.CollectSymbols(names);
  return names.size() == 1 && size == Dim::Symbol(names[0]) ? names[0] : std::string();
}

}  // namespace

absl::StatusOr<std::map<std::string, SizeChoice>> ChooseSizes(const Graph& graph) {
  std::map<std::string, SizeChoice> choices;
  std::map<std::string, int64_t> bindings;
  for (const Value* input : graph.inputs()) {
    for (size_t axis = 0; axis < input->shape->size(); ++axis) {
      const Dim& size = (*input->shape)[axis];
      if (size.IsKnown()) continue;
      std::vector<std::string> names;
      size.CollectSymbols(names);
      for (const std::string& name : names) {
        const auto [choice, fresh] = choices.emplace(name, SizeChoice{});
        const int64_t upper = axis == 0 ? kUpperBatch : kUpperSize;
        choice->second.upper = fresh ? upper : std::min(choice->second.upper, upper);
        bindings[name] = 1;
      }
    }
  }
  if (choices.empty()) return choices;
  std::vector<Dim> sizes;
  for (const Value* value : graph.values()) {
    if (!value->shape) continue;
    for (const Dim& size : *value->shape) {
      if (!size.IsKnown()) sizes.push_back(size);
    }
  }
  // Grow all sizes together until everything has elements, then shrink each as far as the others allow.
  int64_t common = 1;
  const auto all_at = [&](int64_t size) {
    for (auto& [name, bound] : bindings) bound = std::min(size, choices[name].upper);
    return AllPositive(sizes, bindings);
  };
  while (common < kMaxLower && !all_at(common)) ++common;
  if (!all_at(common))
    return Unimplemented(
        "no size of the inputs up to {} gives every value of the graph elements; fix the sizes with --shape",
        kMaxLower);
  for (auto& [name, bound] : bindings) {
    while (bound > 1) {
      --bound;
      if (AllPositive(sizes, bindings)) continue;
      ++bound;
      break;
    }
    SizeChoice& choice = choices[name];
    choice.lower = bound;
    choice.usual = choice.upper == kUpperBatch ? bound : std::max(bound, kUsualSize);
  }
  return choices;
}

void DescribeInput(const Value& value, const std::string& name, const std::map<std::string, SizeChoice>& sizes,
                   coreml::FeatureDescription& feature) {
  feature.set_name(name);
  coreml::ArrayFeatureType& array = *feature.mutable_type()->mutable_multiarraytype();
  array.set_datatype(ArrayType(value.type));
  if (value.shape->empty()) {
    array.add_shape(1);
    return;
  }
  const bool flexible = !IsStatic(*value.shape);
  for (const Dim& size : *value.shape) {
    SizeChoice choice{size.value(), size.value(), size.value()};
    if (!size.IsKnown()) {
      const auto found = sizes.find(SymbolOf(size));
      choice = found == sizes.end() ? SizeChoice{1, 1, kUpperSize} : found->second;
    }
    array.add_shape(choice.usual);
    if (!flexible) continue;
    coreml::SizeRange& range = *array.mutable_shaperange()->add_sizeranges();
    range.set_lowerbound(static_cast<uint64_t>(choice.lower));
    range.set_upperbound(choice.upper);
  }
}

void DescribeOutput(const Value& value, const std::string& name, coreml::FeatureDescription& feature) {
  feature.set_name(name);
  coreml::ArrayFeatureType& array = *feature.mutable_type()->mutable_multiarraytype();
  array.set_datatype(ArrayType(value.type));
  if (!IsStatic(*value.shape)) return;
  for (const Dim& size : *value.shape) array.add_shape(size.value());
}

InterfaceTensor InterfaceOf(const Value& value, const std::string& name) {
  InterfaceTensor tensor;
  tensor.name = name;
  tensor.source = value.origin.known() ? value.origin.source : value.name;
  for (const Dim& size : *value.shape) tensor.shape.push_back(size.IsKnown() ? size.value() : -1);
  if (tensor.shape.empty()) tensor.shape = {1};
  tensor.type = IsFloat(value.type) ? DataType::kFloat32 : DataType::kInt32;
  if (value.rank() == 4) tensor.layout = value.origin.permutation.empty() ? "NCHW" : "NHWC";
  tensor.permutation = value.origin.permutation;
  return tensor;
}

}  // namespace slipway::coreml_writer
