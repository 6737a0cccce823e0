#include "convert/targets/ncnn/legalize/compose.h"

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::ncnn {

std::string Composer::Name() const { return node_.output()->name + "_part"; }

Value* Composer::Add(OpKind kind, std::vector<Value*> inputs, Attributes attributes) {
  if (!first_error_.ok()) return nullptr;
  absl::StatusOr<Node*> added = AddInferred(graph_, kind, std::move(inputs), Name(), std::move(attributes), &node_);
  if (!added.ok()) {
    first_error_ = added.status();
    return nullptr;
  }
  return (*added)->output();
}

Value* Composer::Constant(float value) { return Constant(Tensor::Scalar(value)); }
Value* Composer::Constant(Tensor tensor) { return graph_.AddConstant(Name(), std::move(tensor)); }

absl::StatusOr<bool> Composer::Finish(OpKind kind, std::vector<Value*> inputs, Attributes attributes) {
  RETURN_IF_ERROR(first_error_);
  RETURN_IF_ERROR(Rewrite(graph_, node_, kind, std::move(inputs), std::move(attributes)));
  return true;
}

}  // namespace slipway::ncnn
