// Files that are wrong, by accident or on purpose: one clear line that names the node, the tensor or the file; never a crash, a hang or
// memory without bound.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_beside.h"
#include "convert/import/import.h"
#include "tests/onnx/import_fixture.h"

namespace slipway::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

class BadInput : public OnnxImport {
 protected:
  // x [1, 3, 8, 8] and the output y, and what `build` adds: the one-line error of the whole import.
  template <typename Build>
  std::string Refusal(Build build, int opset = 17) {
    model_.Clear();
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    Input("x", {1, 3, 8, 8});
    Output("y");
    build();
    const auto imported = ImportWhole();
    if (imported.ok()) return "no error";
    EXPECT_EQ(KindOf(imported.status()), ErrorKind::kModel) << imported.status();
    EXPECT_EQ(Message(imported.status()).find('\n'), std::string::npos);
    EXPECT_LT(Message(imported.status()).size(), 3000u);
    return Message(imported.status());
  }
  absl::StatusOr<Imported> ImportWhole() {
    ASSIGN_OR_RETURN(source_, SourceOf(model_, folder_.path()));
    return slipway::Import(source_);
  }
  // A node named "the node".
  onnx::NodeProto& Bad(const std::string& op, const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs = {"y"}) {
    return Node(op, inputs, outputs, "the node");
  }
  void Ints(const std::string& name, const std::vector<int64_t>& values) {
    auto& tensor = Initializer(name, {static_cast<int64_t>(values.size())}, onnx::TensorProto::INT64);
    for (int64_t value : values) tensor.add_int64_data(value);
  }
  void Floats(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    auto& tensor = Initializer(name, dims);
    for (float value : values) tensor.add_float_data(value);
  }
  static void Set(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (int64_t value : values) attribute.add_ints(value);
  }
  static void Set(onnx::NodeProto& node, const std::string& name, int64_t value) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }
  static onnx::GraphProto& SetGraph(onnx::NodeProto& node, const std::string& name) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    return *attribute.mutable_g();
  }
  // A function f::name of one input "a" and one output "b".
  onnx::FunctionProto& Function(const std::string& name) {
    auto& function = *model_.add_functions();
    function.set_name(name);
    function.set_domain("f");
    function.add_input("a");
    function.add_output("b");
    function.add_opset_import()->set_version(17);
    return function;
  }
  static void Call(onnx::FunctionProto& function, const std::string& op, const std::string& input,
                   const std::string& output, const std::string& domain = "f") {
    auto& node = *function.add_node();
    node.set_op_type(op);
    node.set_domain(domain);
    node.add_input(input);
    node.add_output(output);
  }
};

const auto kNamesTheNode = HasSubstr("'the node'");

TEST_F(BadInput, Cycles) {
  EXPECT_THAT(Refusal([&] { Bad("Add", {"x", "y"}); }), AllOf(kNamesTheNode, HasSubstr("on a cycle")));
  EXPECT_THAT(Refusal([&] {
                Bad("Add", {"x", "c"}, {"a"});
                Node("Relu", {"a"}, {"b"});
                Node("Relu", {"b"}, {"c"});
                Node("Relu", {"x"}, {"y"});
              }),
              AllOf(kNamesTheNode, HasSubstr("on a cycle")));
  // Through what a branch reads.
  EXPECT_THAT(Refusal([&] {
                Initializer("c", {}, onnx::TensorProto::BOOL).add_int32_data(1);
                auto& node = Bad("If", {"c"});
                for (const char* branch : {"then_branch", "else_branch"}) {
                  auto& inner = SetGraph(node, branch);
                  inner.add_output()->set_name(std::string("out_") + branch);
                  auto& relu = *inner.add_node();
                  relu.set_op_type("Relu");
                  relu.add_input("y");
                  relu.add_output(std::string("out_") + branch);
                }
              }),
              AllOf(kNamesTheNode, HasSubstr("on a cycle")));
}

TEST_F(BadInput, NamesUsedTwice) {
  EXPECT_THAT(Refusal([&] {
                Node("Relu", {"x"}, {"y"});
                Bad("Neg", {"x"});
              }),
              AllOf(kNamesTheNode, HasSubstr("'y' is already the name of another value")));
  EXPECT_THAT(Refusal([&] { Bad("Split", {"x"}, {"y", "y"}); }), AllOf(kNamesTheNode, HasSubstr("'y'")));
  EXPECT_THAT(Refusal([&] {
                Floats("y", {1}, {1});
                Bad("Relu", {"x"});
              }),
              AllOf(kNamesTheNode, HasSubstr("'y' is already")));
  EXPECT_THAT(Refusal([&] { Bad("Relu", {"x"}, {"x"}); }), HasSubstr("'the node'"));
  EXPECT_THAT(Refusal([&] {
                Floats("w", {1}, {1});
                Floats("w", {1}, {2});
                Node("Add", {"x", "w"}, {"y"});
              }),
              HasSubstr("the name 'w' is given twice"));
  EXPECT_THAT(Refusal([&] {
                Input("x", {1});
                Node("Relu", {"x"}, {"y"});
              }),
              HasSubstr("the input 'x' is listed twice"));
  EXPECT_THAT(Refusal([&] {
                Node("Relu", {"x"}, {"y"});
                Output("y");
              }),
              HasSubstr("the output 'y' is listed twice"));
}

TEST_F(BadInput, WrongArity) {
  EXPECT_THAT(Refusal([&] { Bad("Relu", {}); }),
              AllOf(kNamesTheNode, HasSubstr("it has 0 inputs, but the op takes 1")));
  EXPECT_THAT(Refusal([&] {
                Bad("Relu", {"x", "x"});
              }),
              AllOf(kNamesTheNode, HasSubstr("it has 2 inputs, but the op takes 1")));
  EXPECT_THAT(Refusal([&] { Bad("Add", {"", "x"}); }), AllOf(kNamesTheNode, HasSubstr("its input 0 is left out")));
  EXPECT_THAT(Refusal([&] {
                Bad("Relu", {"x"}, {"y", "z"});
              }),
              AllOf(kNamesTheNode, HasSubstr("it has 2 outputs, but the op gives at most 1")));
  EXPECT_THAT(Refusal([&] {
                Call(Function("F"), "Relu", "a", "b", "");
                Bad("F", {"x", "x"}).set_domain("f");
              }),
              AllOf(kNamesTheNode, HasSubstr("the function takes 1")));
}

TEST_F(BadInput, ContradictingTypes) {
  const auto with_ints = [&](auto build) {
    return Refusal([&] {
      Input("i", {1, 3, 8, 8}, onnx::TensorProto::INT64);
      build();
    });
  };
  for (const char* op : {"Add", "Mul", "Max", "Less", "MatMul", "Equal"}) {
    EXPECT_THAT(with_ints([&] {
                  Bad(op, {"x", "i"});
                }),
                AllOf(kNamesTheNode, HasSubstr("int64"), HasSubstr("float32")))
        << op;
  }
  EXPECT_THAT(with_ints([&] { Set(Bad("Concat", {"x", "i"}), "axis", 1); }), AllOf(kNamesTheNode, HasSubstr("int64")));
  EXPECT_THAT(with_ints([&] { Bad("Where", {"i", "x", "x"}); }), AllOf(kNamesTheNode, HasSubstr("int64")));
  EXPECT_THAT(with_ints([&] { Bad("And", {"x", "x"}); }), AllOf(kNamesTheNode, HasSubstr("float32")));
  EXPECT_THAT(with_ints([&] { Bad("Gather", {"x", "x"}); }), AllOf(kNamesTheNode, HasSubstr("float32")));
  EXPECT_THAT(with_ints([&] {
                Floats("w", {1, 3, 1, 1}, {1, 2, 3});
                Bad("Conv", {"i", "w"});
              }),
              AllOf(kNamesTheNode, HasSubstr("int64")));
  // Declared as something else than the node makes.
  EXPECT_THAT(
      Refusal([&] {
        Bad("Relu", {"x"});
        graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT64);
      }),
      AllOf(kNamesTheNode, HasSubstr("declares the output 'y' as int64, but the node makes float32")));
}

TEST_F(BadInput, ContradictingShapes) {
  EXPECT_THAT(Refusal([&] {
                Floats("w", {1, 2, 1, 1}, {1, 2});
                Bad("Conv", {"x", "w"});
              }),
              AllOf(kNamesTheNode, HasSubstr("data has 3 channels, the weights take 2")));
  EXPECT_THAT(Refusal([&] {
                Floats("w", {5}, {1, 2, 3, 4, 5});
                Bad("Add", {"x", "w"});
              }),
              AllOf(kNamesTheNode, HasSubstr("[1, 3, 8, 8]"), HasSubstr("[5]")));
  EXPECT_THAT(Refusal([&] {
                Floats("w", {2, 2}, {1, 2, 3, 4});
                Bad("MatMul", {"x", "w"});
              }),
              kNamesTheNode);
  EXPECT_THAT(Refusal([&] {
                Ints("s", {7, -1});
                Bad("Reshape", {"x", "s"});
              }),
              AllOf(kNamesTheNode, HasSubstr("[7, -1]")));
  EXPECT_THAT(Refusal([&] { Set(Bad("Transpose", {"x"}), "perm", std::vector<int64_t>{0, 1, 1, 3}); }), kNamesTheNode);
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"}) {
    for (const int opset : {11, 17}) {
      EXPECT_THAT(Refusal([&] { Set(Bad(op, {"x"}), "axis", int64_t{4}); }, opset),
                  AllOf(kNamesTheNode, HasSubstr("axis 4 of data with 4 axes")));
    }
  }
  EXPECT_THAT(Refusal([&] {
                Floats("s", {2}, {1, 1});
                Bad("BatchNormalization", {"x", "s", "s", "s", "s"});
              }),
              kNamesTheNode);
}

// An output of another shape than the file declares: no runtime minds; it is told.
TEST_F(BadInput, ADeclaredShapeThatContradictsIsAWarning) {
  Input("x", {1, 3, 8, 8});
  Output("y");
  Bad("Relu", {"x"});
  auto& shape = *graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  for (int64_t size : {2, 3, 8, 8}) shape.add_dim()->set_dim_value(size);
  const auto imported = ImportWhole();
  ASSERT_TRUE(imported.ok()) << imported.status();
  ASSERT_EQ(imported->warnings.size(), 1u);
  EXPECT_THAT(imported->warnings[0], AllOf(kNamesTheNode, HasSubstr("[2, 3, 8, 8]"), HasSubstr("[1, 3, 8, 8]")));
  shape.mutable_dim(0)->set_dim_param("batch");
  EXPECT_TRUE(ImportWhole()->warnings.empty());
}

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
                auto& sparse = *graph().add_sparse_initializer();
                sparse.mutable_values()->set_name("w");
                sparse.mutable_values()->set_data_type(onnx::TensorProto::FLOAT);
                sparse.mutable_values()->add_dims(1);
                sparse.mutable_values()->add_float_data(1);
                sparse.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
                sparse.mutable_indices()->add_dims(1);
                sparse.mutable_indices()->add_int64_data(0);
                sparse.add_dims(int64_t{1} << 50);
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

TEST_F(BadInput, AllUnknownOpsAtOnce) {
  const std::string error = Refusal([&] {
    Node("Frobnicate", {"x"}, {"a"}, "first").set_domain("com.example");
    Node("Gadget", {"a"}, {"b"}, "second");
    for (int i = 0; i < 5; ++i) Node("Frobnicate", {"b"}, {"c" + std::to_string(i)}).set_domain("com.example");
    Node("Relu", {"c0"}, {"d"});
    Node("Widget", {"d", "c4"}, {"y"}, "third").set_domain("org.other");
  });
  EXPECT_THAT(error,
              AllOf(HasSubstr("8 faults: "),
                    HasSubstr("com.example::Frobnicate 'first' (output 'a'): an op of an unknown domain"),
                    HasSubstr("(and 5 more)"), HasSubstr("Gadget 'second' (output 'b'): this op is not supported"),
                    HasSubstr("org.other::Widget 'third' (output 'y')")));
  EXPECT_THAT(error, Not(HasSubstr("Relu")));
  // Hundreds of ops are counted, not listed: a few lines' worth.
  EXPECT_THAT(Refusal([&] {
                for (int i = 0; i < 300; ++i) Node("Op" + std::to_string(i), {"x"}, {"o" + std::to_string(i)});
                Node("Relu", {"o7"}, {"y"});
              }),
              AllOf(HasSubstr("300 faults: "), HasSubstr("Op39 (1)"), HasSubstr("and 260 more")));
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

TEST_F(BadInput, ExternalDataOutsideTheFolder) {
  namespace fs = std::filesystem;
  const fs::path outside = folder_.path() / "outside", inside = folder_.path() / "model";
  fs::create_directory(outside);
  fs::create_directory(inside);
  ASSERT_TRUE(WriteFileAtomically(outside / "secret", Raw({3, 4})).ok());
  ASSERT_TRUE(WriteFileAtomically(inside / "plain", Raw({5, 6})).ok());
  fs::create_symlink(outside / "secret", inside / "link");
  fs::create_symlink("plain", inside / "own");
  fs::create_directory_symlink(outside, inside / "folder");
  fs::create_symlink("nowhere", inside / "dangling");
  // As the tools open a model: what is not to be read is left out.
  const auto import = [](const fs::path& path) -> absl::Status {
    Source source;
    source.main.path = path.string();
    ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
    const auto names = ExternalDataFiles(source.main.file->bytes());
    for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
      const auto beside = FileBeside(path, name);
      if (!beside.ok()) continue;
      ASSIGN_OR_RETURN(source.external[name].file, MappedFile::Open(*beside));
    }
    return slipway::Import(source).status();
  };
  const auto error = [&](const std::string& location) {
    model_.Clear();
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(17);
    Input("x", {2});
    auto& tensor = Initializer("w", {2});
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    auto& entry = *tensor.add_external_data();
    entry.set_key("location");
    entry.set_value(location);
    Node("Add", {"x", "w"}, {"y"});
    Output("y");
    EXPECT_TRUE(SourceOf(model_, inside).ok());
    return Message(import(inside / "model.onnx"));
  };
  EXPECT_EQ(error("plain"), "");
  EXPECT_EQ(error("own"), "");
  for (const char* location : {"../outside/secret", "/etc/passwd", "folder/../../outside/secret", ".."}) {
    EXPECT_THAT(error(location), AllOf(HasSubstr("tensor 'w'"), HasSubstr("outside the model's folder"))) << location;
  }
  for (const char* location : {"link", "folder/secret", "dangling", "gone", "folder", ""}) {
    const std::string message = error(location);
    EXPECT_THAT(message, AllOf(HasSubstr("tensor 'w'"), HasSubstr("put it beside the model"))) << location;
  }
  // A download cache: model and data are links into one folder.
  const fs::path snapshot = folder_.path() / "snapshot";
  fs::create_directory(snapshot);
  EXPECT_EQ(error("plain"), "");
  fs::create_symlink(inside / "model.onnx", snapshot / "model.onnx");
  fs::create_symlink(inside / "plain", snapshot / "plain");
  EXPECT_TRUE(import(snapshot / "model.onnx").ok());
}

}  // namespace
}  // namespace slipway::testing
