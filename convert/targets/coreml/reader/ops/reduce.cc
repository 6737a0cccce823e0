#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

template <OpKind kKind>
void ReadReduce(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  std::vector<int64_t> axes = op.Ints("axes");
  if (!op.Has("axes")) {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  for (int64_t& axis : axes) axis = op.Axis(axis, rank);
  op.Emit(kKind, {x, op.ConstInt64s(axes)}, Attrs({{"keepdims", int64_t{op.Bool("keep_dims", false)}}}));
}

template <OpKind kKind>
void ReadArg(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t axis = op.Axis(op.Int("axis", -1), op.RankOf(x));
  Value* index =
      op.Add(kKind, {x}, Attrs({{"axis", axis}, {"keepdims", int64_t{op.Bool("keep_dims", false)}}}), DataType::kInt64);
  op.Result(op.CastTo(index, DataType::kInt32));
}

void ReadCumsum(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t axis = op.Axis(op.Int("axis", 0), op.RankOf(x));
  op.Emit(
      OpKind::kCumSum, {x, op.ConstInt64s({axis})},
      Attrs({{"exclusive", int64_t{op.Bool("exclusive", false)}}, {"reverse", int64_t{op.Bool("reverse", false)}}}));
}

constexpr OpEntry kOps[] = {
    {"cumsum", ReadCumsum},
    {"reduce_argmax", ReadArg<OpKind::kArgMax>},
    {"reduce_argmin", ReadArg<OpKind::kArgMin>},
    {"reduce_l1_norm", ReadReduce<OpKind::kReduceL1>},
    {"reduce_l2_norm", ReadReduce<OpKind::kReduceL2>},
    {"reduce_log_sum", ReadReduce<OpKind::kReduceLogSum>},
    {"reduce_log_sum_exp", ReadReduce<OpKind::kReduceLogSumExp>},
    {"reduce_max", ReadReduce<OpKind::kReduceMax>},
    {"reduce_mean", ReadReduce<OpKind::kReduceMean>},
    {"reduce_min", ReadReduce<OpKind::kReduceMin>},
    {"reduce_prod", ReadReduce<OpKind::kReduceProd>},
    {"reduce_sum", ReadReduce<OpKind::kReduceSum>},
    {"reduce_sum_square", ReadReduce<OpKind::kReduceSumSquare>},
};

}  // namespace

std::span<const OpEntry> ReduceOps() { return kOps; }

}  // namespace slipway::coreml_reader
