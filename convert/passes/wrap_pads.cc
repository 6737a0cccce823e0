#include "convert/passes/wrap_pads.h"

#include <algorithm>

#include "convert/passes/steps.h"

namespace slipway {
namespace {

class WrapBySlices final : public Rule {
 public:
  std::string_view name() const override { return "wrap-by-slices"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* data = node.input(0);
    if (node.attributes.String("mode", "constant") != "wrap" || node.constant(1) == nullptr || !data->shape ||
        (node.input(3) != nullptr && node.constant(3) == nullptr))
      return false;
    const std::vector<int64_t> amounts = node.constant(1)->ToInt64s();
    const size_t count = amounts.size() / 2;
    std::vector<int64_t> axes = node.constant(3) != nullptr ? node.constant(3)->ToInt64s() : std::vector<int64_t>{};
    for (size_t i = axes.size(); i < count; ++i) axes.push_back(static_cast<int64_t>(i));
    for (size_t i = 0; i < count; ++i) {
      if (axes[i] < 0) axes[i] += data->rank();
      const Dim& size = (*data->shape)[static_cast<size_t>(axes[i])];
      for (const int64_t amount : {amounts[i], amounts[i + count]}) {
        // More than the whole goes round several times.
        if (amount < 0 || (size.IsKnown() && amount > size.value())) return false;
      }
    }
    Steps s(graph, node);
    for (size_t i = 0; i < count; ++i) {
      const int64_t before = amounts[i], after = amounts[i + count];
      if (before == 0 && after == 0) continue;
      std::vector<Value*> parts;
      if (before > 0) parts.push_back(s.Slice(data, axes[i], -before, INT64_MAX));
      parts.push_back(data);
      if (after > 0) parts.push_back(s.Slice(data, axes[i], 0, after));
      data = s.Op(OpKind::kConcat, parts, Steps::With("axis", axes[i]));
    }
    return s.Become(OpKind::kIdentity, {data});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kPad};
};

}  // namespace

std::unique_ptr<Rule> MakeWrapBySlices() { return std::make_unique<WrapBySlices>(); }

}  // namespace slipway
