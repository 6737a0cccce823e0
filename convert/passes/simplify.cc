#include "common/base/error.h"
#include "convert/passes/passes.h"

namespace slipway {

absl::Status Simplify(Graph& graph) {
  // Each round can only open new work by what the round before folded; real graphs settle in two or three.
  constexpr int kMaxRounds = 16;
  const std::unique_ptr<Pass> infer = MakeInferShapes(), fold = MakeFoldConstants(), fuse = MakeFuse(),
                              dead = MakeRemoveDead();
  for (int round = 0; round < kMaxRounds; ++round) {
    bool changed = false;
    RETURN_IF_ERROR(infer->Run(graph).status());
    for (const Pass* pass : {fold.get(), dead.get(), fuse.get(), dead.get()}) {
      ASSIGN_OR_RETURN(const bool pass_changed, pass->Run(graph));
      changed |= pass_changed;
    }
    if (!changed) return absl::OkStatus();
  }
  return infer->Run(graph).status();
}

}  // namespace slipway
