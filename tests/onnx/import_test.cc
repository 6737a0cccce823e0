// The importer on models built in the test: weights as views, constants in all forms, bad input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/base/error.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"
#include "tests/onnx/import_fixture.h"

namespace slipway::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(OnnxImport, WeightsAreViewsOfTheFile) {
  Input("x", {4});
  Initializer("raw", {4}).set_raw_data(Raw({1, 2, 3, 4}));
  auto& packed = Initializer("packed", {4});
  for (float value : {5.f, 6.f, 7.f, 8.f}) packed.add_float_data(value);
  auto& attribute = *Node("Constant", {}, {"constant"}).add_attribute();
  attribute.set_name("value");
  attribute.set_type(onnx::AttributeProto::TENSOR);
  attribute.mutable_t()->add_dims(2);
  attribute.mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  attribute.mutable_t()->set_raw_data(Raw({9, 10}));
  Node("Add", {"x", "raw"}, {"a"});
  Node("Add", {"a", "packed"}, {"y"});
  Output("y");
  Output("constant");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto file = source_.main.file->bytes();
  for (const auto& [name, values] : std::map<std::string, std::vector<float>>{
           {"raw", {1, 2, 3, 4}}, {"packed", {5, 6, 7, 8}}, {"constant", {9, 10}}}) {
    const Value* value = model->graph->Find(name);
    ASSERT_NE(value, nullptr) << name;
    EXPECT_EQ(value->constant->ToFloats(), values) << name;
    EXPECT_GE(value->constant->bytes().data(), file.data()) << name;
    EXPECT_LE(value->constant->bytes().data() + value->constant->bytes().size(), file.data() + file.size()) << name;
  }
  EXPECT_EQ(model->graph->Find("y")->origin.source, "y");
}

TEST_F(OnnxImport, TypedDataOfEveryKind) {
  const auto ints = [&](int type, const std::string& name, const std::vector<int64_t>& values) {
    auto& tensor = Initializer(name, {static_cast<int64_t>(values.size())}, type);
    for (int64_t value : values) {
      if (type == onnx::TensorProto::INT64)
        tensor.add_int64_data(value);
      else if (type == onnx::TensorProto::UINT64 || type == onnx::TensorProto::UINT32)
        tensor.add_uint64_data(static_cast<uint64_t>(value));
      else
        tensor.add_int32_data(static_cast<int32_t>(value));
    }
    Output(name);
  };
  ints(onnx::TensorProto::INT64, "i64", {-5, int64_t{1} << 40});
  ints(onnx::TensorProto::INT32, "i32", {-5, 7});
  ints(onnx::TensorProto::INT8, "i8", {-128, 127});
  ints(onnx::TensorProto::UINT8, "u8", {0, 255});
  ints(onnx::TensorProto::UINT16, "u16", {0, 65535});
  ints(onnx::TensorProto::UINT32, "u32", {0, int64_t{4294967295}});
  ints(onnx::TensorProto::BOOL, "flag", {1, 0});
  ints(onnx::TensorProto::FLOAT16, "half", {0x3c00, 0xc000});
  auto& doubles = Initializer("f64", {2}, onnx::TensorProto::DOUBLE);
  doubles.add_double_data(0.1);
  doubles.add_double_data(-2);
  Output("f64");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto values = [&](const char* name) { return model->graph->Find(name)->constant->ToDoubles(); };
  EXPECT_EQ(values("i64"), (std::vector<double>{-5, 1099511627776.0}));
  EXPECT_EQ(values("i32"), (std::vector<double>{-5, 7}));
  EXPECT_EQ(values("i8"), (std::vector<double>{-128, 127}));
  EXPECT_EQ(values("u8"), (std::vector<double>{0, 255}));
  EXPECT_EQ(values("u16"), (std::vector<double>{0, 65535}));
  EXPECT_EQ(values("u32"), (std::vector<double>{0, 4294967295.0}));
  EXPECT_EQ(values("flag"), (std::vector<double>{1, 0}));
  EXPECT_EQ(values("half"), (std::vector<double>{1, -2}));
  EXPECT_EQ(values("f64"), (std::vector<double>{0.1, -2}));
}

TEST_F(OnnxImport, SymbolsAndShapes) {
  Input("x", {1, 3});
  auto& shape = *graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.add_dim()->set_dim_param("H");
  shape.add_dim();
  Node("Relu", {"x"}, {"y"});
  Output("y");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  const Shape& read = *model->graph->inputs()[0]->shape;
  EXPECT_EQ(read[1], Dim(3));
  EXPECT_EQ(read[2], Dim::Symbol("H"));
  EXPECT_FALSE(read[3].IsKnown());
  const auto fixed = Import({{"x", {1, 3, 8, 9}}});
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_EQ(*fixed->graph->inputs()[0]->shape, ToShape({1, 3, 8, 9}));
  EXPECT_THAT(Error({{"x", {1, 4, 8, 9}}}), HasSubstr("axis 1 is fixed at 3"));
  EXPECT_THAT(Error({{"x", {1, 3}}}), HasSubstr("has 2 sizes, but the input has 4"));
}

TEST_F(OnnxImport, FunctionsAreInlined) {
  Input("x", {2});
  auto& function = *model_.add_functions();
  function.set_name("Twice");
  function.set_domain("my.ops");
  function.add_input("a");
  function.add_output("b");
  function.add_attribute("slope");
  function.add_opset_import()->set_version(17);
  auto& leaky = *function.add_node();
  leaky.set_op_type("LeakyRelu");
  leaky.add_input("a");
  leaky.add_output("inner");
  auto& alpha = *leaky.add_attribute();
  alpha.set_name("alpha");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  alpha.set_ref_attr_name("slope");
  auto& add = *function.add_node();
  add.set_op_type("Add");
  add.add_input("inner");
  add.add_input("inner");
  add.add_output("b");
  auto& call = Node("Twice", {"x"}, {"y"}, "call");
  call.set_domain("my.ops");
  auto& slope = *call.add_attribute();
  slope.set_name("slope");
  slope.set_type(onnx::AttributeProto::FLOAT);
  slope.set_f(0.25f);
  Output("y");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->graph->node_count(), 2u);
  EXPECT_EQ(model->graph->nodes().front()->attributes.Float("alpha", 0), 0.25f);
  EXPECT_EQ(model->graph->outputs()[0]->name, "y");
}

// One node of the file, two of the dialect: blocks summed where they were cut, and no name that two nodes have.
TEST_F(OnnxImport, BlocksAreTransposedConvolutions) {
  model_.clear_opset_import();
  model_.add_opset_import()->set_version(18);
  Input("x", {2, 12, 12});
  const auto ints = [&](const std::string& name, const std::vector<int64_t>& values) {
    auto& tensor = Initializer(name, {static_cast<int64_t>(values.size())}, onnx::TensorProto::INT64);
    for (const int64_t value : values) tensor.add_int64_data(value);
  };
  ints("image", {7, 6});
  ints("block", {2, 3});
  auto& node = Node("Col2Im", {"x", "image", "block"}, {"y"}, "blocks");
  for (const char* name : {"strides", "dilations"}) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : {2, 1}) attribute.add_ints(value);
  }
  Output("y");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<float> numbers(2 * 12 * 12);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i * i % 37);
  const Tensor data = Tensor::From({2, 12, 12}, numbers);
  const auto expected = RunOnnx(folder_.path() / "model.onnx", {{"x", data}}, {"y"});
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_TRUE(MakeInferShapes()->Run(*model->graph).ok());
  ASSERT_TRUE(WriteOnnxFile(*model->graph, {}, folder_.path() / "written.onnx").ok());
  const auto actual = RunOnnx(folder_.path() / "written.onnx", {{"x", data}}, {"y"});
  ASSERT_TRUE(actual.ok()) << actual.status();
  const absl::Status close = ExpectClose((*actual)[0].second, (*expected)[0].second, 1e-5, 1e-6);
  EXPECT_TRUE(close.ok()) << close;
}

TEST_F(OnnxImport, NodesOutOfOrderAreSorted) {
  Input("x", {2});
  Node("Relu", {"a"}, {"y"});
  Node("Neg", {"x"}, {"a"});
  Output("y");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph->nodes().front()->kind, OpKind::kNeg);
}

// Weight standardization, as exporters write it: a BatchNormalization in training mode over the weight's rows.
TEST_F(OnnxImport, WeightsNormalizedByThemselves) {
  Input("x", {1, 2, 1, 1});
  Initializer("weight", {2, 2, 1, 1}).set_raw_data(Raw({1, 3, -2, 6}));
  Initializer("flat", {3}, onnx::TensorProto::INT64).add_int64_data(1);
  graph().mutable_initializer(1)->add_int64_data(2);
  graph().mutable_initializer(1)->add_int64_data(-1);
  Initializer("back", {4}, onnx::TensorProto::INT64);
  for (const int64_t size : {2, 2, 1, 1}) graph().mutable_initializer(2)->add_int64_data(size);
  Initializer("scale", {2}).set_raw_data(Raw({0.5f, 2}));
  Initializer("shift", {2}).set_raw_data(Raw({0, 1}));
  Initializer("mean", {2}).set_raw_data(Raw({7, 7}));
  Initializer("variance", {2}).set_raw_data(Raw({7, 7}));
  Node("Reshape", {"weight", "flat"}, {"rows"});
  auto& norm = Node("BatchNormalization", {"rows", "scale", "shift", "mean", "variance"}, {"standard", "m", "v"});
  const auto attribute = [&](const char* name, auto set) {
    auto& added = *norm.add_attribute();
    added.set_name(name);
    set(added);
  };
  attribute("training_mode", [](auto& a) {
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(1);
  });
  attribute("epsilon", [](auto& a) {
    a.set_type(onnx::AttributeProto::FLOAT);
    a.set_f(0);
  });
  Node("Reshape", {"standard", "back"}, {"kernel"});
  Node("Conv", {"x", "kernel"}, {"y"});
  Output("y");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE(Simplify(*model->graph).ok());
  ASSERT_EQ(model->graph->node_count(), 1u);
  // Rows 1, 3 and -2, 6 lie one deviation below and above their means: 0.5 × ±1 and 2 × ±1 + 1.
  const std::vector<double> kernel = model->graph->nodes().front()->constant(1)->ToDoubles();
  EXPECT_THAT(kernel, ::testing::ElementsAre(::testing::DoubleNear(-0.5, 1e-6), ::testing::DoubleNear(0.5, 1e-6),
                                             ::testing::DoubleNear(-1, 1e-6), ::testing::DoubleNear(3, 1e-6)));
}

TEST_F(OnnxImport, RefusesWithOneClearLine) {
  Input("x", {2, 3});
  const onnx::ModelProto empty = model_;
  const auto error = [&](auto build) {
    model_ = empty;
    build();
    return Error();
  };
  EXPECT_THAT(error([&] { Node("Relu", {"x"}, {"y"}); }), HasSubstr("has no outputs"));
  EXPECT_THAT(error([&] {
                Node("Relu", {"a"}, {"b"}, "one");
                Node("Relu", {"b"}, {"a"});
                Output("a");
              }),
              HasSubstr("Relu 'one' (output 'b') is on a cycle"));
  EXPECT_THAT(error([&] {
                Node("Relu", {"x"}, {"y"});
                Node("Neg", {"x"}, {"y"});
                Output("y");
              }),
              HasSubstr("Neg (output 'y'): its output 'y' is already"));
  EXPECT_THAT(error([&] {
                Node("Relu", {"nowhere"}, {"y"}, "r");
                Output("y");
              }),
              HasSubstr("Relu 'r' (output 'y'): it reads 'nowhere'"));
  EXPECT_THAT(error([&] {
                Node("Conv", {"x"}, {"y"}, "c");
                Output("y");
              }),
              HasSubstr("Conv 'c' (output 'y'): it has 1 inputs, but the op takes 2 to 3"));
  EXPECT_THAT(error([&] {
                Node("Conv", {"x", ""}, {"y"});
                Output("y");
              }),
              HasSubstr("it has 1 inputs"));
  EXPECT_THAT(error([&] {
                Node("Frobnicate", {"x"}, {"y"}, "f");
                Output("y");
              }),
              HasSubstr("Frobnicate 'f' (output 'y'): this op is not supported"));
  EXPECT_THAT(error([&] {
                Node("Relu", {"x"}, {"y"}).set_domain("their.ops");
                Output("y");
              }),
              HasSubstr("their.ops::Relu (output 'y'): an op of an unknown domain"));
  EXPECT_THAT(error([&] { Output("z"); }), HasSubstr("the output 'z' is produced by nothing"));
  EXPECT_THAT(error([&] {
                Initializer("w", {2, 2}).set_raw_data("12345678");
                Output("w");
              }),
              HasSubstr("tensor 'w': its shape [2, 2] needs 16 bytes, but the file holds 8"));
  EXPECT_THAT(error([&] {
                Initializer("w", {int64_t{1} << 40, int64_t{1} << 40});
                Output("w");
              }),
              HasSubstr("negative or overflows"));
  EXPECT_THAT(error([&] {
                Initializer("w", {-1});
                Output("w");
              }),
              HasSubstr("negative or overflows"));
  EXPECT_THAT(error([&] {
                Initializer("w", {1}, onnx::TensorProto::COMPLEX64).set_raw_data("12345678");
                Output("w");
              }),
              HasSubstr("complex64"));
  EXPECT_THAT(error([&] {
                Initializer("w", {int64_t{1} << 31}).set_raw_data("1234");
                Output("w");
              }),
              HasSubstr("needs 8589934592 bytes"));
  EXPECT_THAT(error([&] {
                model_.mutable_opset_import(0)->set_version(99);
                Node("Relu", {"x"}, {"y"});
                Output("y");
              }),
              HasSubstr("opset 99"));
  EXPECT_THAT(error([&] {
                model_.clear_opset_import();
                Node("Relu", {"x"}, {"y"});
                Output("y");
              }),
              HasSubstr("does not say which opset"));
  EXPECT_THAT(error([&] {
                graph().mutable_input(0)->mutable_type()->mutable_sequence_type();
                Output("x");
              }),
              HasSubstr("only tensors"));
  EXPECT_THAT(error([&] {
                auto& dim =
                    *graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0);
                dim.set_dim_value(int64_t{1} << 60);
                Output("x");
              }),
              HasSubstr("absurd"));
}

TEST_F(OnnxImport, ExternalDataStaysInItsFolderAndItsFile) {
  Input("x", {2});
  auto& tensor = Initializer("w", {2});
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto set = [&](const std::map<std::string, std::string>& entries) {
    tensor.clear_external_data();
    for (const auto& [key, value] : entries) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
  };
  Node("Add", {"x", "w"}, {"y"});
  Output("y");
  ASSERT_TRUE(WriteFileAtomically(folder_.path() / "w.data", "pad!" + Raw({3, 4})).ok());
  const auto import = [&]() -> absl::StatusOr<Model> {
    RETURN_IF_ERROR(SourceOf(model_, folder_.path()).status());
    ASSIGN_OR_RETURN(source_, OpenOnnx(folder_.path() / "model.onnx"));
    return ImportOnnx(source_);
  };
  set({{"location", "w.data"}, {"offset", "4"}, {"length", "8"}});
  const auto model = import();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph->Find("w")->constant->ToFloats(), (std::vector<float>{3, 4}));
  EXPECT_EQ(model->graph->Find("w")->constant->bytes().data(), source_.external["w.data"].file->bytes().data() + 4);
  set({{"location", "w.data"}, {"offset", "8"}});
  EXPECT_THAT(Message(import().status()), HasSubstr("bytes 8..16 of 'w.data' are needed, but the file has 12"));
  set({{"location", "w.data"}, {"offset", "4"}, {"length", "4"}});
  EXPECT_THAT(Message(import().status()), HasSubstr("says length 4"));
  set({{"location", "w.data"}, {"offset", "18446744073709551615"}});
  EXPECT_THAT(Message(import().status()), HasSubstr("is no size"));
  set({{"location", "../w.data"}});
  EXPECT_THAT(Message(import().status()), HasSubstr("outside the model's folder"));
  EXPECT_THAT(Error(), HasSubstr("outside the model's folder"));
  set({{"location", "gone.data"}});
  EXPECT_THAT(Error(), HasSubstr("'gone.data' is missing"));
}

TEST_F(OnnxImport, NoModelAndTruncatedModels) {
  Input("x", {2});
  Initializer("w", {64}).set_raw_data(std::string(256, 'w'));
  Node("Relu", {"x"}, {"y"});
  Output("y");
  const std::string whole = model_.SerializeAsString();
  const auto import = [&](const std::string& bytes) -> absl::Status {
    RETURN_IF_ERROR(WriteFileAtomically(folder_.path() / "cut.onnx", bytes));
    Source source;
    source.main.path = "cut.onnx";
    ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(folder_.path() / "cut.onnx"));
    return ImportOnnx(source).status();
  };
  EXPECT_TRUE(import(whole).ok());
  EXPECT_FALSE(import("").ok());
  EXPECT_THAT(Message(import("this is a text, not a model")), HasSubstr("cut.onnx: not a readable ONNX model"));
  // Everything that is cut off before the end of the graph is an error, never a crash.
  int refused = 0;
  for (size_t size = 0; size + 4 < whole.size(); size += 3) refused += !import(whole.substr(0, size)).ok();
  EXPECT_GE(refused, static_cast<int>(whole.size() / 3) - 3);
  // Every single byte damaged in turn: an error or another model, never a crash.
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    (void)import(damaged);
  }
}

TEST_F(OnnxImport, WritingIsDeterministicAndKeepsNames) {
  Input("in put/0", {1, 2, 5, 5});
  Initializer("weights, of \"conv\"", {300, 2, 1, 1}).set_raw_data(std::string(2400, '\x3d'));
  Node("Conv", {"in put/0", "weights, of \"conv\""}, {"übung:0"});
  Output("übung:0");
  const auto model = Import();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto first = OnnxBytes(*model->graph);
  const auto second = OnnxBytes(*model->graph->Clone());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*first, *second);
  onnx::ModelProto written;
  ASSERT_TRUE(written.ParseFromString(*first));
  EXPECT_EQ(written.ir_version(), 8);
  EXPECT_EQ(written.opset_import(0).version(), 17);
  EXPECT_EQ(written.graph().input(0).name(), "in put/0");
  EXPECT_EQ(written.graph().output(0).name(), "übung:0");
  ASSERT_EQ(written.graph().initializer_size(), 1);
  EXPECT_EQ(written.graph().initializer(0).raw_data(), std::string(2400, '\x3d'));
  EXPECT_EQ(written.graph().output(0).type().tensor_type().shape().dim_size(), 4);
}

}  // namespace
}  // namespace slipway::testing
