#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// NCNN divides by the whole window where it counts padding, also where the window hangs over the padded edge; ONNX by what lies within it.
class SplitPadFromPool final : public Rule {
 public:
  std::string_view name() const override { return "split-pad-from-pool"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kAveragePool};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& pool) const override {
    if (pool.attributes.Int("count_include_pad", 0) == 0 || pool.attributes.Int("ceil_mode", 0) == 0) return false;
    ASSIGN_OR_RETURN(const SpatialParams spatial, ReadSpatialParams(pool));
    std::vector<int64_t> pads(2 + static_cast<size_t>(spatial.rank), 0);
    std::ranges::copy(spatial.pads_begin, pads.begin() + 2);
    pads.insert(pads.end(), 2, 0);
    pads.insert(pads.end(), spatial.pads_end.begin(), spatial.pads_end.end());

    Composer compose(graph, pool);
    Value* padded = pool.input(0);
    if (std::ranges::any_of(pads, [](int64_t pad) { return pad != 0; })) {
      padded = compose.Add(OpKind::kPad, {padded, compose.Constant(Tensor::Int64s(pads)), compose.Constant(0.0f)});
    }
    Attributes attributes = pool.attributes;
    attributes.Erase("count_include_pad");
    attributes.Erase("auto_pad");
    attributes.Set("pads", std::vector<int64_t>(2 * static_cast<size_t>(spatial.rank), 0));
    return compose.Finish(OpKind::kAveragePool, {padded}, std::move(attributes));
  }
};

}  // namespace

std::unique_ptr<Rule> MakeSplitPadFromPool() { return std::make_unique<SplitPadFromPool>(); }

}  // namespace slipway::ncnn
