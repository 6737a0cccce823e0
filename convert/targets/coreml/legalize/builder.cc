#include "convert/targets/coreml/legalize/builder.h"

namespace slipway::coreml_writer {

absl::StatusOr<bool> Builder::Replace(Value* result) {
  RETURN_IF_ERROR(first_error_);
  Value* old = node_.outputs[0];
  const std::string name = old->name;
  Origin origin = old->origin;
  graph_.ReplaceUses(old, result);
  graph_.RemoveNode(&node_);
  graph_.Rename(result, name);
  result->origin = std::move(origin);
  return true;
}

}  // namespace slipway::coreml_writer
