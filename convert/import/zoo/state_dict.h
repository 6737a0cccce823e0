// A checkpoint's tensors against the keys that an architecture has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"

namespace slipway {

struct ExpectedWeight {
  std::string key;
  std::vector<int64_t> shape;
};

// The prefix under which the checkpoint holds most of `keys`: "", "state_dict.", "model.module.", "backbone.", … Of
// equals the better known: no prefix, then state_dict, model, model_state_dict, model_ema; then the file's order.
std::string FindStateDict(const std::vector<ExpectedWeight>& keys, const Checkpoint& checkpoint);

// How many of `keys` the checkpoint holds under that prefix, of whatever shape.
size_t CountMatches(const std::vector<ExpectedWeight>& keys, const Checkpoint& checkpoint);

// The tensor of one of `keys` under that prefix; nullptr if there is none.
const Tensor* FindWeight(std::string_view key, const std::vector<ExpectedWeight>& keys, const Checkpoint& checkpoint);

// The tensors for `expected`, in its order. BatchNorm's num_batches_tracked is passed over. INVALID_ARGUMENT: every key
// missing, unexpected or of the wrong shape (with both shapes) or type, each list cut after ten.
absl::StatusOr<std::vector<Tensor>> FitStateDict(std::string_view architecture,
                                                 const std::vector<ExpectedWeight>& expected,
                                                 const Checkpoint& checkpoint);

}  // namespace slipway
