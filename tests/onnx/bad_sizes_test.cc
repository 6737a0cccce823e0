// Files that claim too much: sizes, constants, depths and expansions beyond all bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/onnx/bad_input.h"

namespace slipway::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

const auto kNamesTheNode = HasSubstr("'the node'");

TEST_F(BadInput, SizesThatOverflow) {
  const std::string_view beyond = "more elements than can be counted";
  const auto sized = [&](const std::string& op, const std::vector<int64_t>& sizes) {
    return Refusal([&] {
      Ints("s", sizes);
      Bad(op, {"x", "s"});
    });
  };
  EXPECT_THAT(sized("Tile", {1, 1, kMost, 1}), AllOf(kNamesTheNode, HasSubstr(beyond)));
  EXPECT_THAT(sized("Tile", {1 << 30, 1 << 30, 1 << 30, 1}), AllOf(kNamesTheNode, HasSubstr(beyond)));
  EXPECT_THAT(sized("Pad", {0, 0, kMost, 0, 0, 0, kMost, 0}), AllOf(kNamesTheNode, HasSubstr(beyond)));
  EXPECT_THAT(sized("Expand", {kMost, 1, 3, 8, 8}), AllOf(kNamesTheNode, HasSubstr(beyond)));
  EXPECT_THAT(sized("Reshape", {kMost, kMost}), kNamesTheNode);
  EXPECT_THAT(Refusal([&] {
                Input("long", {int64_t{1} << 40, int64_t{1} << 22});
                Set(Bad("Concat", {"long", "long", "long"}), "axis", 0);
              }),
              AllOf(kNamesTheNode, HasSubstr(beyond)));
  EXPECT_THAT(Refusal([&] {
                Floats("w", {3, 1, 1, 1}, {1, 2, 3});
                Set(Bad("ConvTranspose", {"x", "w"}), "strides", std::vector<int64_t>{1 << 30, 1 << 30});
              }),
              AllOf(kNamesTheNode, HasSubstr(beyond)));
  EXPECT_THAT(Refusal([&] {
                Floats("w", {3, 1, 1, 1}, {1, 2, 3});
                Set(Bad("ConvTranspose", {"x", "w"}), "output_shape", std::vector<int64_t>{kMost, -kMost});
              }),
              kNamesTheNode);
  EXPECT_THAT(Refusal([&] {
                Input("huge", {int64_t{1} << 40, int64_t{1} << 40});
                Node("Relu", {"huge"}, {"y"});
              }),
              HasSubstr("Relu"));
}

TEST_F(BadInput, AbsurdConstants) {
  const auto number = [&](const std::string& name, int64_t value) {
    Initializer(name, {}, onnx::TensorProto::INT64).add_int64_data(value);
  };
  EXPECT_THAT(Refusal([&] {
                number("a", 0), number("b", kMost), number("c", 1);
                Bad("Range", {"a", "b", "c"});
              }),
              AllOf(kNamesTheNode, HasSubstr("elements")));
  EXPECT_THAT(Refusal([&] {
                number("a", 0), number("b", 9), number("c", 0);
                Bad("Range", {"a", "b", "c"});
              }),
              AllOf(kNamesTheNode, HasSubstr("delta is 0")));
  EXPECT_THAT(Refusal([&] {
                Floats("s", {4}, {1, 1, 1e30f, 1});
                Bad("Resize", {"x", "", "s"});
              }),
              kNamesTheNode);
  EXPECT_THAT(Refusal([&] {
                Floats("s", {4}, {1, 1, std::nanf(""), 1});
                Bad("Resize", {"x", "", "s"});
              }),
              AllOf(kNamesTheNode, HasSubstr("scale nan is not positive")));
  EXPECT_THAT(Refusal([&] {
                Set(Bad("MaxPool", {"x"}), "kernel_shape", std::vector<int64_t>{kMost, 1});
              }),
              AllOf(kNamesTheNode, HasSubstr("out of range")));
  EXPECT_THAT(Refusal([&] { Set(Bad("DepthToSpace", {"x"}), "blocksize", int64_t{1} << 62); }),
              AllOf(kNamesTheNode, HasSubstr("blocksize")));
  EXPECT_THAT(Refusal([&] {
                Ints("s", {int64_t{1} << 62, 4});
                Bad("ConstantOfShape", {"s"});
              }),
              AllOf(kNamesTheNode, HasSubstr("counted")));
  EXPECT_THAT(Refusal([&] {
                SparseWeights("w", int64_t{1} << 50);
                Node("Add", {"x", "w"}, {"y"});
              }),
              AllOf(HasSubstr("sparse tensor 'w'"), HasSubstr("too large")));
}

// Megabytes of constants that would be gigabytes are neither made nor lost: the nodes stay.
TEST_F(BadInput, ConstantsThatWouldGrowStayNodes) {
  Input("x", {1, 3, 8, 8});
  Ints("s", {1 << 20, 1 << 10});
  Node("ConstantOfShape", {"s"}, {"huge"});
  Output("huge");
  Ints("k0", {1});
  for (int i = 0; i < 40; ++i) {
    const std::string k = "k" + std::to_string(i);
    Set(Node("Concat", {k, k}, {"k" + std::to_string(i + 1)}), "axis", 0);
  }
  Output("k40");
  const auto imported = ImportWhole();
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_FALSE(imported->model.graph->Find("huge")->IsConstant());
  EXPECT_FALSE(imported->model.graph->Find("k40")->IsConstant());
  EXPECT_LE(imported->model.graph->folded_bytes, int64_t{512} << 20);
}

TEST_F(BadInput, DeepNesting) {
  const auto nest = [&](int depth) {
    return [this, depth] {
      Initializer("c", {}, onnx::TensorProto::BOOL).add_int32_data(1);
      onnx::NodeProto* node = &Bad("If", {"c"});
      for (int level = 0; level < depth; ++level) {
        auto& inner = SetGraph(*node, "then_branch");
        inner.add_output()->set_name("o" + std::to_string(level));
        node = inner.add_node();
        node->set_op_type(level + 1 < depth ? "If" : "Identity");
        node->add_input(level + 1 < depth ? "c" : "x");
        node->add_output("o" + std::to_string(level));
      }
    };
  };
  EXPECT_THAT(Refusal(nest(1000)), AllOf(kNamesTheNode, HasSubstr("nested more than 64 deep")));
  EXPECT_THAT(Refusal(nest(65)), HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(Refusal(nest(64)), Not(HasSubstr("nested")));
  // Types of types: a sequence of a sequence of …
  EXPECT_THAT(Refusal([&] {
                onnx::TypeProto* type = graph().mutable_input(0)->mutable_type();
                for (int level = 0; level < 1000; ++level) type = type->mutable_sequence_type()->mutable_elem_type();
                Node("Relu", {"x"}, {"y"});
              }),
              AllOf(HasSubstr("'x'"), HasSubstr("only tensors")));
}

TEST_F(BadInput, ClaimsOfGigabytesInASmallFile) {
  EXPECT_THAT(Refusal([&] {
                Initializer("w", {int64_t{1} << 31}).set_raw_data("1234");
                Bad("Add", {"x", "w"});
              }),
              AllOf(HasSubstr("tensor 'w'"), HasSubstr("needs 8589934592 bytes, but the file holds 4")));
  EXPECT_THAT(Refusal([&] {
                auto& attribute = *Bad("Constant", {}).add_attribute();
                attribute.set_name("value");
                attribute.set_type(onnx::AttributeProto::TENSOR);
                attribute.mutable_t()->set_data_type(onnx::TensorProto::DOUBLE);
                attribute.mutable_t()->add_dims(int64_t{3} << 29);
              }),
              AllOf(kNamesTheNode, HasSubstr("needs 12884901888 bytes, but the file holds 0")));
  // A field that says it is longer than the file: raw_data (field 9) of an initializer (5) of the graph (7).
  const auto field = [](int number, std::string content, uint64_t claimed) {
    std::string head(1, static_cast<char>(number << 3 | 2));
    for (; claimed > 127; claimed >>= 7) head += static_cast<char>((claimed & 127) | 128);
    return head + static_cast<char>(claimed) + content;
  };
  for (const uint64_t claimed : {uint64_t{1} << 31, uint64_t{1} << 33, ~uint64_t{0}}) {
    const std::string tensor = field(9, "1234", claimed);
    const std::string initializer = field(5, tensor, tensor.size());
    const std::string file = field(7, initializer, initializer.size());
    ASSERT_TRUE(WriteFileAtomically(folder_.path() / "claim.onnx", file).ok());
    const auto source = OpenOnnx(folder_.path() / "claim.onnx");
    EXPECT_THAT(Message(source.status()), HasSubstr("claims more bytes than the file has")) << claimed;
  }
}

TEST_F(BadInput, FunctionsThatExpandWithoutBound) {
  // Each calls the next twice: 2^30 nodes from 31 functions.
  EXPECT_THAT(Refusal([&] {
                for (int i = 0; i < 30; ++i) {
                  auto& function = Function("F" + std::to_string(i));
                  Call(function, "F" + std::to_string(i + 1), "a", "m");
                  Call(function, "F" + std::to_string(i + 1), "m", "b");
                }
                Call(Function("F30"), "Relu", "a", "b", "");
                Bad("F0", {"x"}).set_domain("f");
              }),
              AllOf(kNamesTheNode, HasSubstr("the model's functions expand to more than 100000 nodes")));
  EXPECT_THAT(Refusal([&] {
                Call(Function("F"), "F", "a", "b");
                Bad("F", {"x"}).set_domain("f");
              }),
              AllOf(kNamesTheNode, HasSubstr("functions call each other more than 64 deep")));
  // As many calls by one name, none of which needs to search for its own.
  model_.Clear();
  model_.add_opset_import()->set_version(17);
  Input("x", {1});
  Call(Function("F"), "Relu", "a", "b", "");
  constexpr int kCalls = 60'000;
  for (int i = 0; i < kCalls; ++i)
    Node("F", {i == 0 ? "x" : "v" + std::to_string(i - 1)}, {"v" + std::to_string(i)}, "the node").set_domain("f");
  Output("v" + std::to_string(kCalls - 1));
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph->node_count(), static_cast<size_t>(kCalls));
}

}  // namespace
}  // namespace slipway::testing
