// MatMul, Gemm.
#include <Eigen/Core>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {
namespace {

template <typename T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <typename T>
Tensor MultiplyAll(const Tensor& a, const Tensor& b, const std::vector<int64_t>& batch,
                   const std::vector<int64_t>& batch_a, const std::vector<int64_t>& batch_b, int64_t m, int64_t k,
                   int64_t n, std::pair<Tensor, std::span<std::byte>> out) {
  const std::vector<T> left = a.Copy<T>(), right = b.Copy<T>();
  BroadcastOffsets at_a(batch_a, batch), at_b(batch_b, batch);
  const int64_t count = ElementCount(batch);
  for (int64_t i = 0; i < count; ++i, at_a.Next(), at_b.Next()) {
    const Eigen::Map<const Matrix<T>> x(left.data() + at_a.offset() * m * k, m, k),
        y(right.data() + at_b.offset() * k * n, k, n);
    const Matrix<T> product = x * y;
    if (product.size() > 0)
      std::memcpy(out.second.data() + static_cast<size_t>(i * m * n) * sizeof(T), product.data(),
                  static_cast<size_t>(m * n) * sizeof(T));
  }
  return out.first;
}

absl::StatusOr<Tensor> Multiply(const Call& call, const Tensor& a, const Tensor& b,
                                const std::vector<int64_t>& out_shape, const std::vector<int64_t>& shape_a,
                                const std::vector<int64_t>& shape_b) {
  const DataType compute = ComputeType(a.type());
  const std::vector<int64_t> batch_a(shape_a.begin(), shape_a.end() - 2), batch_b(shape_b.begin(), shape_b.end() - 2);
  const int64_t m = shape_a[shape_a.size() - 2], k = shape_a.back(), n = shape_b.back();
  if (k != shape_b[shape_b.size() - 2])
    return call.Error("inner sizes {} and {} differ", k, shape_b[shape_b.size() - 2]);
  ASSIGN_OR_RETURN(const std::vector<int64_t> batch, BroadcastShape(call, batch_a, batch_b));
  ASSIGN_OR_RETURN(auto out, call.Allocate(compute, out_shape));
  const Tensor x = a.Cast(compute), y = b.Cast(compute);
  switch (compute) {
    case DataType::kFloat32:
      return MultiplyAll<float>(x, y, batch, batch_a, batch_b, m, k, n, out).Cast(a.type());
    case DataType::kFloat64:
      return MultiplyAll<double>(x, y, batch, batch_a, batch_b, m, k, n, out).Cast(a.type());
    case DataType::kUInt64:
      return MultiplyAll<uint64_t>(x, y, batch, batch_a, batch_b, m, k, n, out).Cast(a.type());
    default:
      return MultiplyAll<int64_t>(x, y, batch, batch_a, batch_b, m, k, n, out).Cast(a.type());
  }
}

absl::StatusOr<Results> EvaluateMatMul(const Call& call) {
  const Tensor &a = call[0], &b = call[1];
  if (a.type() != b.type()) return call.Error("operands of types {} and {}", Name(a.type()), Name(b.type()));
  if (a.rank() == 0 || b.rank() == 0) return call.Error("a scalar operand");
  std::vector<int64_t> shape_a = a.shape(), shape_b = b.shape();
  if (a.rank() == 1) shape_a.insert(shape_a.begin(), 1);
  if (b.rank() == 1) shape_b.push_back(1);
  ASSIGN_OR_RETURN(std::vector<int64_t> out,
                   BroadcastShape(call, {shape_a.begin(), shape_a.end() - 2}, {shape_b.begin(), shape_b.end() - 2}));
  if (a.rank() > 1) out.push_back(shape_a[shape_a.size() - 2]);
  if (b.rank() > 1) out.push_back(shape_b.back());
  ASSIGN_OR_RETURN(Tensor result, Multiply(call, a, b, out, shape_a, shape_b));
  return Results{std::move(result)};
}

absl::StatusOr<Results> EvaluateGemm(const Call& call) {
  if (!IsFloat(call[0].type())) return call.NoKernel(call[0].type());
  if (call[0].rank() != 2 || call[1].rank() != 2) return call.Error("operands that are no matrices");
  const Tensor a = call.node.attributes.Int("transA", 0) != 0 ? Transpose(call[0], {1, 0}) : call[0];
  const Tensor b = call.node.attributes.Int("transB", 0) != 0 ? Transpose(call[1], {1, 0}) : call[1];
  const std::vector<int64_t> shape = {a.shape()[0], b.shape()[1]};
  ASSIGN_OR_RETURN(const Tensor product, Multiply(call, a, b, shape, a.shape(), b.shape()));
  const double alpha = call.node.attributes.Float("alpha", 1), beta = call.node.attributes.Float("beta", 1);
  std::vector<double> values = product.ToDoubles();
  std::vector<double> bias;
  if (call.Has(2)) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> broadcast, BroadcastShape(call, shape, call[2].shape()));
    if (broadcast != shape)
      return call.Error("C of shape {} does not broadcast to {}", ToString(call[2].shape()), ToString(shape));
    bias = call[2].ToDoubles();
  }
  BroadcastOffsets at(call.Has(2) ? call[2].shape() : std::vector<int64_t>{}, shape);
  for (double& value : values) {
    value *= alpha;
    if (!bias.empty()) value += beta * bias[static_cast<size_t>(at.offset())];
    at.Next();
  }
  return Results{Tensor::From<double>(shape, values).Cast(call[0].type())};
}

constexpr Entry kEntries[] = {{OpKind::kMatMul, EvaluateMatMul}, {OpKind::kGemm, EvaluateGemm}};

}  // namespace

std::span<const Entry> GemmKernels() { return kEntries; }

}  // namespace slipway::evaluate
