#include "common/base/error.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

class Fuse final : public Pass {
 public:
  Fuse() {
    rules_.push_back(fuse::FuseBatchNorm());
    rules_.push_back(fuse::FuseChannelScale());
    rules_.push_back(fuse::FoldPadIntoConv());
    rules_.push_back(fuse::MatMulAddToGemm());
    rules_.push_back(fuse::RecogniseHardSigmoid());
    rules_.push_back(fuse::RecogniseHardSwish());
    rules_.push_back(fuse::RecogniseSwish());
    rules_.push_back(fuse::RecogniseGelu());
    rules_.push_back(fuse::RecogniseLayerNorm());
    rules_.push_back(fuse::RecognisePixelShuffle());
    rules_.push_back(fuse::RecogniseRepeat());
    rules_.push_back(fuse::RecogniseMaskedFill());
    rules_.push_back(fuse::NearestByWholeFactors());
  }
  std::string_view name() const override { return "fuse"; }
  absl::StatusOr<bool> Run(Graph& graph) const override { return ApplyRules(graph, rules_); }

 private:
  std::vector<std::unique_ptr<Rule>> rules_;
};

}  // namespace

std::unique_ptr<Pass> MakeFuse() { return std::make_unique<Fuse>(); }

}  // namespace slipway
