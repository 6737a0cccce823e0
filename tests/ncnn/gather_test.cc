// Tables, indices that are computed, and arithmetic on whole numbers: what ncnn computes against what onnxruntime computes.
#include <functional>

#include "convert/ir/cast.h"
#include "tests/ncnn/case.h"

namespace slipway::testing {
namespace {

using enum OpKind;
constexpr DataType kLong = DataType::kInt64;

AttributeValue To(DataType type) { return ElementTypeCode(type); }

std::string ParamOf(const Graph& graph, Emitted* emitted = nullptr) {
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-ncnn-case-");
  if (!folder.ok()) return folder.status().ToString();
  const auto written = ConvertToNcnn(graph, folder->path());
  if (!written.ok()) return written.status().ToString();
  if (emitted != nullptr) *emitted = *written;
  const auto text = ReadFile(folder->path() / written->path);
  return text.ok() ? *text : text.status().ToString();
}

// What reads words of a text: an input that nothing but tables read holds int32, and a table is an Embed layer.
TEST(NcnnGather, TablesByAnInput) {
  Case t;
  Value *words = t.x({1, 6}, kLong), *one = t.x({1}, kLong);
  t.op(kGather, {t.c({9, 4}), words});
  t.op(kGather, {t.c({9, 5}), t.op(kCast, {words}, {{"to", To(DataType::kInt32)}})});
  t.op(kGather, {t.c({9, 3}), one});
  t.Expect(0, 9);
  Emitted emitted;
  EXPECT_NE(ParamOf(*t.graph, &emitted).find("Embed"), std::string::npos);
  EXPECT_EQ(emitted.io.inputs[0].type, DataType::kInt32);
}

// An input that something else reads as well is a blob of float32, and the table's rows are picked by a product.
TEST(NcnnGather, TablesByAnInputThatIsComputedWith) {
  Case t;
  Value* words = t.x({1, 6}, kLong);
  Value* rows = t.op(kGather, {t.c({9, 4}), words});
  Value* known = t.op(kCast, {t.op(kNot, {t.op(kEqual, {words, t.ints({0})})})}, {{"to", To(DataType::kFloat32)}});
  t.op(kMul, {rows, t.op(kUnsqueeze, {known, t.ints({2})})});
  t.Expect(0, 9);
  Emitted emitted;
  EXPECT_EQ(ParamOf(*t.graph, &emitted).find("Embed"), std::string::npos);
  EXPECT_EQ(emitted.io.inputs[0].type, DataType::kFloat32);
}

TEST(NcnnGather, ComputedIndicesOfAnyAxis) {
  Case t;
  Value* x = t.x({1, 3, 5, 4});
  for (const int64_t axis : {1, 2, -1}) {
    Value* best = t.op(kArgMax, {t.x({2, 3})}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
    t.op(kGather, {x, best}, {{"axis", axis}});
  }
  t.Expect();
}

TEST(NcnnGather, IndicesFromTheEndAndWholeNumbers) {
  Case t;
  Value* indices = t.x({3}, kLong);
  t.op(kGather, {t.c({4, 2}), t.op(kSub, {indices, t.ints({0})})});
  t.op(kGather, {t.ints({7, 1, 9, 4}), indices});
  t.Expect(-4, 3);
}

TEST(NcnnGather, ElementsAndPoints) {
  Case t;
  Value* x = t.x({1, 6, 4});
  Value* top = t.op(kTopK, {x, t.ints({3})}, {{"axis", int64_t{1}}}, 2);
  static_cast<void>(top);
  Value* places = t.last->outputs[1];
  t.op(kGatherElements, {t.x({1, 6, 4}), places}, {{"axis", int64_t{1}}});
  t.op(kScatterElements, {x, places, t.x({1, 3, 4})}, {{"axis", int64_t{1}}});
  Value* best = t.op(kArgMax, {t.x({2, 5})}, {{"axis", int64_t{1}}});
  t.op(kGatherND, {t.x({5, 3}), best});
  t.op(kGatherND, {t.x({2, 5, 3}), best}, {{"batch_dims", int64_t{1}}});
  t.op(kScatterND, {t.x({5, 3}), t.op(kSlice, {best, t.ints({0}), t.ints({1})}), t.x({1, 3})});
  t.Expect();
}

TEST(NcnnWhole, Arithmetic) {
  const auto expect = [](const char* name, const std::function<void(Case&, Value*, Value*)>& build) {
    SCOPED_TRACE(name);
    Case t;
    build(t, t.x({2, 5}, kLong), t.x({2, 5}, kLong));
    t.Expect(-9, 9, 0);
  };
  const auto positive = [](Case& t, Value* b) { return t.op(kMax, {t.op(kAbs, {b}), t.ints({1})}); };
  expect("a + 3 b", [](Case& t, Value* a, Value* b) { t.op(kAdd, {a, t.op(kMul, {b, t.ints({3})})}); });
  expect("a / |b|", [&](Case& t, Value* a, Value* b) { t.op(kDiv, {a, positive(t, b)}); });
  expect("a / 4", [](Case& t, Value* a, Value* b) { t.op(kAdd, {t.op(kDiv, {a, t.ints({4})}), b}); });
  expect("a mod |b|", [&](Case& t, Value* a, Value* b) { t.op(kMod, {a, positive(t, b)}); });
  expect("a mod 3", [](Case& t, Value* a, Value* b) { t.op(kAdd, {t.op(kMod, {a, t.ints({3})}), b}); });
  expect("a fmod |b|", [&](Case& t, Value* a, Value* b) { t.op(kMod, {a, positive(t, b)}, {{"fmod", int64_t{1}}}); });
  expect("clip", [](Case& t, Value* a, Value* b) {
    t.op(kClip, {t.op(kSub, {b, a}), t.graph->AddConstant("low", Tensor::From<int64_t>({}, {-4}))});
  });
  expect("count", [](Case& t, Value* a, Value* b) {
    t.op(kReduceSum, {t.op(kCast, {t.op(kGreater, {a, b})}, {{"to", To(kLong)}}), t.ints({1})});
  });
  expect("where", [](Case& t, Value* a, Value* b) {
    t.op(kWhere, {t.op(kCast, {a}, {{"to", To(DataType::kBool)}}), a, b});
  });
  expect("expand", [](Case& t, Value* a, Value* b) {
    t.op(kExpand, {t.op(kUnsqueeze, {t.op(kNeg, {a}), t.ints({2})}), t.ints({2, 5, 3})});
    t.op(kSign, {b});
  });
  expect("cast", [](Case& t, Value* a, Value* b) {
    t.op(kCast, {t.op(kCast, {a}, {{"to", To(DataType::kInt32)}})}, {{"to", To(DataType::kFloat32)}});
    t.op(kNeg, {b});
  });
}

// Casts of narrow widths would have to wrap.
TEST(NcnnWhole, NarrowCastsAreRefused) {
  Case t;
  Value* cut = t.op(kCast, {t.x({4}, kLong)}, {{"to", To(DataType::kInt8)}});
  ASSERT_TRUE(MakeInferShapes()->Run(*t.graph).ok());
  t.graph->AddOutput(cut);
  EXPECT_NE(ParamOf(*t.graph).find("a cast from int64 to int8"), std::string::npos);
}

TEST(NcnnWhole, WidthsOfFloatsAreOne) {
  Case t;
  Value* wide = t.op(kCast, {t.x({2, 3})}, {{"to", To(DataType::kFloat64)}});
  t.op(kCast, {t.op(kAdd, {wide, wide})}, {{"to", To(DataType::kFloat32)}});
  t.Expect();
}

}  // namespace
}  // namespace slipway::testing
