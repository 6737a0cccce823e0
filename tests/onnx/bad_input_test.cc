// Files that are wrong, by accident or on purpose: one clear line that names the node, the tensor or the file; never a crash, a hang or
// memory without bound.
#include "tests/onnx/bad_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_beside.h"

namespace slipway::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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
