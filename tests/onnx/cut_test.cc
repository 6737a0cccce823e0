// Cuts made in the file: what is cut off is not imported, whatever it holds, and the cut file is what onnxruntime runs.
#include "convert/import/onnx/cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/error.h"
#include "convert/import/import.h"
#include "convert/onnx_form/onnx_form.h"
#include "tests/onnx/harness.h"
#include "tests/support/onnx_maker.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x [2, 3] → Gemm "mixed" → Tanh "features" → Gemm "scores" → Softmax "probs".
class CutTest : public ::testing::Test, protected OnnxMaker {
 protected:
  CutTest() : folder_(*TemporaryFolder::Create("/tmp", "slipway-cut-")) {
    Input("x", {2, 3});
    Weights("w", {3, 4}, Values(12));
    Weights("v", {4, 5}, Values(20));
    Node("Gemm", {"x", "w"}, {"mixed"});
    Node("Tanh", {"mixed"}, {"features"});
    Node("Gemm", {"features", "v"}, {"scores"});
    Node("Softmax", {"scores"}, {"probs"});
    Output("probs");
  }
  static std::vector<float> Values(size_t count) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = std::sin(1.3f * static_cast<float>(i + 1));
    return values;
  }
  // The op of the node that gives `output` becomes one that nobody knows.
  void MakeUnknown(const std::string& output) {
    for (onnx::NodeProto& node : *graph().mutable_node()) {
      if (node.output(0) != output) continue;
      node.set_op_type("Magic");
      node.set_domain("com.acme");
    }
    auto& opset = *model_.add_opset_import();
    opset.set_domain("com.acme");
    opset.set_version(1);
  }
  absl::StatusOr<Imported> ImportCut(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
    ASSIGN_OR_RETURN(source_, SourceOf(model_, folder_.path()));
    options_.cut_inputs = inputs;
    options_.cut_outputs = outputs;
    source_.interface = options_;
    return Import(source_);
  }
  static std::vector<std::string> Names(const std::vector<Value*>& values) {
    std::vector<std::string> names;
    for (const Value* value : values) names.push_back(value->name);
    return names;
  }
  // The cut file, run, gives what `expected` says; so does the imported graph.
  void ExpectBothGive(const Imported& imported, const NamedTensors& inputs, const std::string& output,
                      const std::vector<double>& expected) {
    ASSERT_TRUE(imported.cuts_file);
    const std::filesystem::path cut = folder_.path() / "cut.onnx", read = folder_.path() / "read.onnx";
    const absl::Status written = WriteCutOnnx(source_, *imported.unedited, cut);
    ASSERT_TRUE(written.ok()) << written;
    std::filesystem::remove(read);
    ASSERT_TRUE(WriteOnnxFile(*imported.as_written, {}, read).ok());
    for (const auto& file : {cut, read}) {
      const auto tensors = RunOnnx(file, inputs, {output});
      ASSERT_TRUE(tensors.ok()) << file << ": " << tensors.status();
      const std::vector<double> values = tensors->front().second.ToDoubles();
      ASSERT_EQ(values.size(), expected.size());
      for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-5) << file << i;
    }
  }
  // rows × inner times inner × columns.
  static std::vector<double> Product(const std::vector<double>& a, const std::vector<float>& b, size_t inner) {
    const size_t rows = a.size() / inner, columns = b.size() / inner;
    std::vector<double> product(rows * columns, 0);
    for (size_t i = 0; i < rows; ++i)
      for (size_t k = 0; k < inner; ++k)
        for (size_t j = 0; j < columns; ++j) product[i * columns + j] += a[i * inner + k] * b[k * columns + j];
    return product;
  }
  static std::vector<double> Tanhs(std::vector<double> values) {
    for (double& value : values) value = std::tanh(value);
    return values;
  }

  TemporaryFolder folder_;
  InterfaceOptions options_;
  Source source_;
  const Tensor x_ = Tensor::From<float>({2, 3}, {0.5f, -1, 0.25f, 1, 0, -0.75f});
};

TEST_F(CutTest, AnUnknownOpBehindTheOutputs) {
  MakeUnknown("scores");
  EXPECT_THAT(Message(ImportCut({}, {}).status()), HasSubstr("com.acme::Magic"));
  const auto imported = ImportCut({}, {"features"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(Names(imported->model.graph->inputs()), ElementsAre("x"));
  EXPECT_EQ(imported->model.graph->Find("v"), nullptr);
  ExpectBothGive(*imported, {{"x", x_}}, "features", Tanhs(Product(x_.ToDoubles(), Values(12), 3)));
}

TEST_F(CutTest, AnUnknownOpBeforeTheInputs) {
  MakeUnknown("mixed");
  // What the file does not say, the user must.
  EXPECT_THAT(Message(ImportCut({"mixed"}, {"scores"}).status()), HasSubstr("give its shape with --shape mixed="));
  const std::vector<float> mixed = Values(8);
  const NamedTensors inputs = {{"mixed", Tensor::From<float>({2, 4}, mixed)}};
  const std::vector<double> scores = Product(Tanhs({mixed.begin(), mixed.end()}), Values(20), 4);
  options_.shapes["mixed"] = {2, 4};
  auto imported = ImportCut({"mixed"}, {"scores"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(Names(imported->model.graph->inputs()), ElementsAre("mixed"));
  ExpectBothGive(*imported, inputs, "scores", scores);
  options_.shapes.clear();
  ValueInfo("mixed", {2, 4});
  imported = ImportCut({"mixed"}, {"scores"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(ToString(*imported->model.graph->inputs()[0]->shape), "[2, 4]");
  ExpectBothGive(*imported, inputs, "scores", scores);
  // A cut further on does not keep it off the way.
  EXPECT_THAT(Message(ImportCut({"x"}, {"scores"}).status()), HasSubstr("com.acme::Magic"));
}

TEST_F(CutTest, TypesAndShapesAreInferredWhereTheyCanBe) {
  const auto imported = ImportCut({"features"}, {"scores"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(ToString(*imported->model.graph->inputs()[0]->shape), "[2, 4]");
  const std::vector<float> features = Values(8);
  ExpectBothGive(*imported, {{"features", Tensor::From<float>({2, 4}, features)}}, "scores",
                 Product({features.begin(), features.end()}, Values(20), 4));
}

TEST_F(CutTest, BrokenWeightsThatAreCutOff) {
  graph().mutable_initializer(1)->mutable_raw_data()->resize(3);
  EXPECT_FALSE(ImportCut({}, {}).ok());
  const auto imported = ImportCut({}, {"features"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  ExpectBothGive(*imported, {{"x", x_}}, "features", Tanhs(Product(x_.ToDoubles(), Values(12), 3)));
}

TEST_F(CutTest, WhatIsFixedStaysFixedInTheFile) {
  Input("bias", {4});
  graph().mutable_node(0)->add_input("bias");
  options_.fix["bias"] = {0.5};
  const auto imported = ImportCut({}, {"mixed"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(Names(imported->model.graph->inputs()), ElementsAre("x"));
  std::vector<double> expected = Product(x_.ToDoubles(), Values(12), 3);
  for (double& value : expected) value += 0.5;
  ExpectBothGive(*imported, {{"x", x_}}, "mixed", expected);
}

TEST_F(CutTest, WhatAnInnerGraphReadsIsKept) {
  // features = positive ? Tanh(mixed) : mixed, read from inside the branches.
  auto& condition = Initializer("positive", {}, onnx::TensorProto::BOOL);
  condition.add_int32_data(1);
  onnx::NodeProto& branch = *graph().mutable_node(1);
  branch.Clear();
  branch.set_op_type("If");
  branch.add_input("positive");
  branch.add_output("features");
  for (const auto& [name, op] : {std::pair("then_branch", "Tanh"), std::pair("else_branch", "Identity")}) {
    auto& attribute = *branch.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    attribute.mutable_g()->set_name(name);
    auto& node = *attribute.mutable_g()->add_node();
    node.set_op_type(op);
    node.add_input("mixed");
    node.add_output(std::string(name) + "_out");
    attribute.mutable_g()->add_output()->set_name(std::string(name) + "_out");
  }
  MakeUnknown("probs");
  const auto imported = ImportCut({}, {"features"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  ExpectBothGive(*imported, {{"x", x_}}, "features", Tanhs(Product(x_.ToDoubles(), Values(12), 3)));
}

TEST_F(CutTest, FunctionsThatAreCalledStay) {
  const auto add = [&](const std::string& name, const std::string& op, const std::string& domain) {
    auto& function = *model_.add_functions();
    function.set_name(name);
    function.set_domain("local");
    function.add_input("a");
    function.add_output("b");
    function.add_opset_import()->set_version(17);
    auto& node = *function.add_node();
    node.set_op_type(op);
    node.set_domain(domain);
    node.add_input("a");
    node.add_output("b");
    if (domain.empty()) return;
    auto& opset = *function.add_opset_import();
    opset.set_domain(domain);
    opset.set_version(1);
  };
  add("Outer", "Inner", "local");
  add("Broken", "Magic", "com.acme");
  add("Inner", "Tanh", "");
  auto& opset = *model_.add_opset_import();
  opset.set_domain("local");
  opset.set_version(1);
  for (const auto& [index, op] : {std::pair(1, "Outer"), std::pair(3, "Broken")}) {
    graph().mutable_node(index)->set_op_type(op);
    graph().mutable_node(index)->set_domain("local");
  }
  EXPECT_FALSE(ImportCut({}, {}).ok());
  const auto imported = ImportCut({}, {"features"});
  ASSERT_TRUE(imported.ok()) << imported.status();
  ExpectBothGive(*imported, {{"x", x_}}, "features", Tanhs(Product(x_.ToDoubles(), Values(12), 3)));
}

TEST_F(CutTest, UnknownNamesAreAnsweredWithTheNearest) {
  EXPECT_THAT(Message(ImportCut({}, {"score"}).status()),
              HasSubstr("--cut-outputs: the model has no tensor 'score'; nearest: 'scores'"));
  EXPECT_THAT(Message(ImportCut({"scores"}, {"features"}).status()), HasSubstr("no output depends on 'scores'"));
}

}  // namespace
}  // namespace slipway::testing
