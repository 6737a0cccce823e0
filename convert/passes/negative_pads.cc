#include "convert/passes/negative_pads.h"

#include <algorithm>

#include "convert/passes/steps.h"

namespace slipway {
namespace {

class CropBySlice final : public Rule {
 public:
  std::string_view name() const override { return "crop-by-slice"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& pad) const override {
    const Tensor* pads = pad.constant(1);
    if (pads == nullptr || (pad.input(3) != nullptr && pad.constant(3) == nullptr)) return false;
    std::vector<int64_t> amounts = pads->ToInt64s(), starts, ends, axes, all;
    const size_t count = amounts.size() / 2;
    if (pad.constant(3) != nullptr) {
      all = pad.constant(3)->ToInt64s();
    } else {
      for (size_t i = 0; i < count; ++i) all.push_back(static_cast<int64_t>(i));
    }
    for (size_t i = 0; i < count; ++i) {
      if (amounts[i] >= 0 && amounts[i + count] >= 0) continue;
      axes.push_back(all[i]);
      starts.push_back(std::max<int64_t>(0, -amounts[i]));
      ends.push_back(amounts[i + count] < 0 ? amounts[i + count] : INT64_MAX);
      amounts[i] = std::max<int64_t>(0, amounts[i]);
      amounts[i + count] = std::max<int64_t>(0, amounts[i + count]);
    }
    if (axes.empty()) return false;
    Steps s(graph, pad);
    std::vector<Value*> inputs = pad.inputs;
    inputs[0] = s.Op(OpKind::kSlice, {inputs[0], s.Ints(starts), s.Ints(ends), s.Ints(axes)});
    inputs[1] = s.Ints(amounts);
    return s.Become(OpKind::kPad, inputs, pad.attributes);
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kPad};
};

}  // namespace

std::unique_ptr<Rule> MakeCropBySlice() { return std::make_unique<CropBySlice>(); }

}  // namespace slipway
