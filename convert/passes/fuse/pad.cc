#include <algorithm>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"

namespace slipway::fuse {
namespace {

// Begin and end pads an axis of data of rank `rank`; nullopt when they are not constants.
std::optional<std::vector<std::pair<int64_t, int64_t>>> PadsOf(const Node& pad, int64_t rank) {
  const Tensor* pads = pad.constant(1);
  if (pads == nullptr || (pad.input(3) != nullptr && pad.constant(3) == nullptr)) return std::nullopt;
  std::vector<int64_t> axes;
  if (pad.constant(3) != nullptr) {
    axes = pad.constant(3)->ToInt64s();
  } else {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  const std::vector<int64_t> amounts = pads->ToInt64s();
  if (amounts.size() != 2 * axes.size()) return std::nullopt;
  std::vector<std::pair<int64_t, int64_t>> result(static_cast<size_t>(rank));
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return std::nullopt;
    result[axis] = {amounts[i], amounts[i + axes.size()]};
  }
  return result;
}

class FoldPadIntoConvRule final : public Rule {
 public:
  std::string_view name() const override { return "fold-pad-into-conv"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Node* pad = ProducerOf(node.input(0), OpKind::kPad);
    if (pad == nullptr || pad->attributes.String("mode", "constant") != "constant") return false;
    if (pad->input(2) != nullptr && ScalarOf(pad->input(2)) != 0.0) return false;
    const int64_t rank = node.input(0)->rank();
    if (rank < 3) return false;
    const std::string auto_pad = node.attributes.String("auto_pad", "NOTSET");
    if (auto_pad.starts_with("SAME")) return false;
    // Padding zeros count in an average only if the pool counts its own padding, and rounds sizes down.
    if (node.kind == OpKind::kAveragePool &&
        (node.attributes.Int("ceil_mode", 0) != 0 ||
         (node.attributes.Int("count_include_pad", 0) == 0 && !NoPads(node.attributes.Ints("pads"))))) {
      return false;
    }
    const auto pads = PadsOf(*pad, rank);
    if (!pads) return false;
    const int64_t channel_axis = ChannelAxis(node, rank);
    const int64_t first = channel_axis == 1 ? 2 : 1;
    if ((*pads)[0] != std::pair<int64_t, int64_t>() || (*pads)[channel_axis] != std::pair<int64_t, int64_t>())
      return false;
    const size_t spatial_rank = static_cast<size_t>(rank - 2);
    std::vector<int64_t> total = node.attributes.Ints("pads", std::vector<int64_t>(2 * spatial_rank, 0));
    if (auto_pad == "VALID" || total.empty()) total.assign(2 * spatial_rank, 0);
    if (total.size() != 2 * spatial_rank) return false;
    for (size_t i = 0; i < spatial_rank; ++i) {
      const auto [begin, end] = (*pads)[first + i];
      if (begin < 0 || end < 0) return false;
      total[i] += begin;
      total[i + spatial_rank] += end;
    }
    Attributes attributes = node.attributes;
    attributes.Erase("auto_pad");
    attributes.Set("pads", total);
    if (node.kind == OpKind::kAveragePool) attributes.Set("count_include_pad", int64_t{1});
    std::vector<Value*> inputs = node.inputs;
    inputs[0] = pad->input(0);
    RETURN_IF_ERROR(Rewrite(graph, node, node.kind, std::move(inputs), std::move(attributes)));
    return true;
  }

 private:
  static bool NoPads(const std::vector<int64_t>& pads) {
    return std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
  }
  static constexpr OpKind kKinds[] = {OpKind::kConv, OpKind::kAveragePool};
};

}  // namespace

std::unique_ptr<Rule> FoldPadIntoConv() { return std::make_unique<FoldPadIntoConvRule>(); }

}  // namespace slipway::fuse
