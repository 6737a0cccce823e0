#include <array>

#include "common/base/error.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"

namespace slipway::fuse {
namespace {

// Reshape to [N, C, r, r, H, W], Transpose, Reshape to [N, C, H·r, W·r]: how exporters write torch's pixel_shuffle.
class RecognisePixelShuffleRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-pixel-shuffle"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kReshape};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Node* transpose = SoleProducer(graph, node.input(0), OpKind::kTranspose);
    if (transpose == nullptr || PermOf(*transpose) != std::vector<int64_t>{0, 1, 4, 2, 5, 3}) return false;
    const Node* split = SoleProducer(graph, transpose->input(0), OpKind::kReshape);
    if (split == nullptr || split->input(0)->rank() != 4 || node.output()->rank() != 4) return false;
    const Shape &in = *split->input(0)->shape, &parts = *split->output()->shape, &out = *node.output()->shape;
    if (!parts[2].IsKnown() || !(parts[2] == parts[3])) return false;
    const Dim block = parts[2];
    const bool splits =
        parts[0] == in[0] && parts[1] * block * block == in[1] && parts[4] == in[2] && parts[5] == in[3];
    const bool joins = out[0] == in[0] && out[1] == parts[1] && out[2] == in[2] * block && out[3] == in[3] * block;
    if (!splits || !joins) return false;
    Attributes attributes;
    attributes.Set("blocksize", block.value());
    attributes.Set("mode", std::string("CRD"));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kDepthToSpace, {split->input(0)}, std::move(attributes)));
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> RecognisePixelShuffle() { return std::make_unique<RecognisePixelShuffleRule>(); }

}  // namespace slipway::fuse
