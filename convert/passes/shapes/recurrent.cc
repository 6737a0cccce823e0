// LSTM, GRU, RNN.
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

// X [steps, batch, features] (layout 1: [batch, steps, features]); Y [steps, directions, batch, hidden], states
// [directions, batch, hidden].
absl::Status InferRecurrent(Inference& in) {
  const DataType type = in.type(0);
  const bool batch_first = in.node.attributes.Int("layout", 0) != 0;
  Dim steps = Dim::Unknown(), batch = Dim::Unknown(), directions = Dim::Unknown(), hidden = Dim::Unknown();
  if (in.HasShape(0)) {
    if (in.rank(0) != 3) return in.Error("X of rank {}; it has steps, batch and features", in.rank(0));
    steps = in.shape(0)[batch_first ? 1 : 0];
    batch = in.shape(0)[batch_first ? 0 : 1];
  }
  if (in.HasShape(2)) {
    if (in.rank(2) != 3) return in.Error("R of rank {}; it has directions, gates and hidden", in.rank(2));
    directions = in.shape(2)[0];
    hidden = in.shape(2)[2];
  }
  if (in.node.attributes.Has("hidden_size")) hidden = Dim(in.node.attributes.Int("hidden_size", 0));
  const Shape state = batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  const Shape all = batch_first ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden};
  RETURN_IF_ERROR(in.Set(0, type, all));
  RETURN_IF_ERROR(in.Set(1, type, state));
  return in.Set(2, type, state);
}

constexpr Entry kEntries[] = {
    {OpKind::kLSTM, InferRecurrent}, {OpKind::kGRU, InferRecurrent}, {OpKind::kRNN, InferRecurrent}};

}  // namespace

std::span<const Entry> RecurrentFunctions() { return kEntries; }

}  // namespace slipway::shapes
