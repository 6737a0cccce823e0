#include "convert/passes/pool_indices.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Compared(GraphMaker& make) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakePoolIndicesByComparison());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 3}});
}

int Indices(const Graph& graph) {
  int count = 0;
  for (const auto& node : graph.nodes()) count += node->kind == kMaxPool && node->output(1) != nullptr ? 1 : 0;
  return count;
}

// Whole numbers, so that a window's greatest occurs twice: the first is meant.
Value* Whole(GraphMaker& make, Shape shape) {
  return make.Op(kRound, {make.Op(kMul, {make.In(std::move(shape)), make.Constant(Tensor::Scalar(2))})});
}

TEST(PoolIndices, AreFoundByComparison) {
  for (const Dim& batch : {Dim::Symbol("N"), Dim(2)}) {
    GraphMaker make;
    Value* x = Whole(make, {batch, 3, 8, 6});
    const auto pool = [&](Attributes attributes) {
      for (Value* value : make.Ops(kMaxPool, {x}, 2, std::move(attributes))) make.Out(value);
    };
    pool(Attrs().Ints("kernel_shape", {2, 2}).Ints("strides", {2, 2}));
    pool(Attrs().Ints("kernel_shape", {3, 3}).Ints("strides", {2, 1}).Ints("pads", {1, 0, 1, 1}));
    pool(Attrs().Ints("kernel_shape", {2, 3}).Ints("dilations", {2, 1}).Int("storage_order", 1));
    pool(Attrs().Ints("kernel_shape", {3, 3}).Ints("strides", {2, 2}).Int("ceil_mode", 1));
    EXPECT_EQ(Indices(*Compared(make)), 0);
  }
}

// PyTorch's newer exporter counts from a pool of windows of one element.
TEST(PoolIndices, OfOneElementAndOtherAxes) {
  GraphMaker make;
  for (Value* value : make.Ops(kMaxPool, {Whole(make, {2, 3, 4, 5})}, 2, Attrs().Ints("kernel_shape", {1, 1})))
    make.Out(value);
  for (Value* value : make.Ops(kMaxPool, {Whole(make, {2, 3, 9})}, 2, Attrs().Ints("kernel_shape", {3})))
    make.Out(value);
  for (Value* value : make.Ops(kMaxPool, {Whole(make, {1, 2, 4, 4, 4})}, 2, Attrs().Ints("kernel_shape", {2, 2, 2})))
    make.Out(value);
  EXPECT_EQ(Indices(*Compared(make)), 0);
}

TEST(PoolIndices, OfOpenSizesStay) {
  GraphMaker make;
  for (Value* value :
       make.Ops(kMaxPool, {make.In({1, 2, Dim::Symbol("N"), 6})}, 2, Attrs().Ints("kernel_shape", {2, 2})))
    make.Out(value);
  EXPECT_EQ(Indices(*Compared(make)), 1);
}

}  // namespace
}  // namespace slipway::testing
