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

Value* TimesMatrix(Composer& c, Value* x, std::vector<int64_t>& shape, size_t at, const Tensor& matrix) {
  const auto shaped = [&](Value* value, const std::vector<int64_t>& sizes) {
    return c.Add(OpKind::kReshape, {value, c.Constant(Tensor::Int64s(sizes))});
  };
  const int64_t from = shape[at], to = matrix.shape()[0];
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < at; ++i) outer *= shape[i];
  for (size_t i = at + 1; i < shape.size(); ++i) inner *= shape[i];
  Attributes swap, transposed;
  swap.Set("perm", std::vector<int64_t>{0, 2, 1});
  transposed.Set("transB", int64_t{1});
  if (inner != 1) x = c.Add(OpKind::kTranspose, {shaped(x, {outer, from, inner})}, swap);
  x = c.Add(OpKind::kGemm, {shaped(x, {outer * inner, from}), c.Constant(matrix)}, transposed);
  if (inner != 1) x = c.Add(OpKind::kTranspose, {shaped(x, {outer, inner, to})}, swap);
  shape[at] = to;
  return shaped(x, shape);
}

}  // namespace slipway::ncnn
