// What users ask of inputs and outputs, as graphs in onnxruntime: against the unedited graph, numbers worked out here.
#include "convert/import/edits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "convert/import/import.h"
#include "convert/passes/passes.h"
#include "convert/targets/target.h"
#include "tests/support/graph_runs.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// image [1, 3, 5, 6] → conv → relu → (plus the input `bias`) → logits [1, 4]; the relu's mean is a second output.
class EditsTest : public ::testing::Test {
 protected:
  EditsTest() {
    image_ = maker_.In({1, 3, 5, 6});
    bias_ = maker_.In({1, 4});
    conv_ = maker_.Conv(image_, 4, 3, {1, 1}, {1, 1, 1, 1});
    relu_ = maker_.Op(OpKind::kRelu, {conv_});
    Value* pooled = maker_.Op(OpKind::kGlobalAveragePool, {relu_});
    Value* flat = maker_.Op(OpKind::kFlatten, {pooled});
    logits_ = maker_.Op(OpKind::kAdd, {flat, bias_});
    for (const auto& [value, name] :
         {std::pair(conv_, "conv"), std::pair(relu_, "relu"), std::pair(flat, "flat"), std::pair(logits_, "logits")}) {
      maker_.graph->Rename(value, name);
      value->origin.source = name;
    }
    maker_.Out(logits_);
    maker_.Out(relu_);
    inputs_ = RandomInputs(*maker_.graph);
  }

  absl::Status Edit(const InterfaceOptions& options) {
    edited_ = maker_.graph->Clone();
    RETURN_IF_ERROR(EditInterface(edited_, options, warnings_));
    return edited_->Validate();
  }
  static std::vector<std::string> Names(const std::vector<Value*>& values) {
    std::vector<std::string> names;
    for (const Value* value : values) names.push_back(value->name);
    return names;
  }
  static NamedTensors Run(const Graph& graph, const NamedTensors& inputs, const std::vector<const Value*>& extra = {}) {
    absl::StatusOr<NamedTensors> tensors = RunInOnnxruntime(graph, inputs, extra);
    EXPECT_TRUE(tensors.ok()) << tensors.status();
    return tensors.value_or(NamedTensors());
  }

  GraphMaker maker_;
  Value *image_, *bias_, *conv_, *relu_, *logits_;
  NamedTensors inputs_;
  std::unique_ptr<Graph> edited_;
  std::vector<std::string> warnings_;
};

TEST_F(EditsTest, FixedInputsAreConstants) {
  for (const std::vector<double>& values : {std::vector<double>{0.25}, std::vector<double>{1, -2, 3, 0.5}}) {
    InterfaceOptions options;
    options.fix["input1"] = values;
    ASSERT_TRUE(Edit(options).ok());
    EXPECT_THAT(Names(edited_->inputs()), ElementsAre("input0"));
    std::vector<float> bias(4, static_cast<float>(values[0]));
    if (values.size() == 4) bias.assign(values.begin(), values.end());
    const NamedTensors expected = Run(*maker_.graph, {inputs_[0], {"input1", Tensor::From<float>({1, 4}, bias)}});
    const NamedTensors actual = Run(*edited_, {inputs_[0]});
    ASSERT_EQ(actual.size(), 2u);
    EXPECT_LT(Difference(expected[0].second, actual[0].second), 1e-6);
  }
}

TEST_F(EditsTest, WhatCannotBeFixedIsSaid) {
  const auto error = [&](const std::string& name, const std::vector<double>& values) {
    InterfaceOptions options;
    options.fix[name] = values;
    return Message(Edit(options));
  };
  EXPECT_THAT(error("inptu1", {1}), HasSubstr("--fix: the model has no input 'inptu1'; nearest: 'input"));
  EXPECT_THAT(error("input1", {1, 2}), HasSubstr("it has 4 elements ([1, 4]), 2 values are given"));
  Value* count = maker_.In({2}, DataType::kInt32);
  Value* rows = maker_.In({Dim::Symbol("N")});
  EXPECT_THAT(error(count->name, {1.5}), HasSubstr("1.5 is no int32"));
  EXPECT_THAT(error(count->name, {3e9}), HasSubstr("out of the range of int32"));
  EXPECT_THAT(error(rows->name, {1}), HasSubstr("give its sizes with --shape"));
}

TEST_F(EditsTest, CutOutputsAreTheSourcesTensors) {
  InterfaceOptions options;
  options.cut_outputs = {"conv"};
  ASSERT_TRUE(Edit(options).ok());
  EXPECT_THAT(Names(edited_->inputs()), ElementsAre("input0"));  // nothing reads the other any more
  EXPECT_THAT(Names(edited_->outputs()), ElementsAre("conv"));
  EXPECT_EQ(edited_->node_count(), 1u);
  const NamedTensors expected = Run(*maker_.graph, inputs_, {conv_});
  const NamedTensors actual = Run(*edited_, {inputs_[0]});
  ASSERT_EQ(actual.size(), 1u);
  EXPECT_LT(Difference(expected[2].second, actual[0].second), 1e-6);
}

TEST_F(EditsTest, CutInputsTakeTheSourcesTensors) {
  InterfaceOptions options;
  options.cut_inputs = {"relu"};
  options.cut_outputs = {"flat", "logits", "conv"};  // conv still needs the image
  ASSERT_TRUE(Edit(options).ok());
  EXPECT_THAT(Names(edited_->inputs()), ElementsAre("input0", "input1", "relu"));
  const NamedTensors expected = Run(*maker_.graph, inputs_, {relu_, conv_});
  const NamedTensors actual = Run(*edited_, {inputs_[0], inputs_[1], {"relu", expected[2].second}});
  ASSERT_EQ(actual.size(), 3u);
  EXPECT_LT(Difference(expected[0].second, actual[1].second), 1e-6);
  EXPECT_LT(Difference(expected[3].second, actual[2].second), 1e-6);
  options.cut_outputs = {"logits"};
  ASSERT_TRUE(Edit(options).ok());
  EXPECT_THAT(Names(edited_->inputs()), ElementsAre("input1", "relu"));
}

TEST_F(EditsTest, UnknownTensorsAreAnsweredWithTheNearest) {
  InterfaceOptions options;
  options.cut_outputs = {"logit"};
  EXPECT_THAT(Message(Edit(options)), HasSubstr("--cut-outputs: the model has no tensor 'logit'; nearest: 'logits'"));
  options.cut_outputs = {"conv"};
  options.cut_inputs = {"relu"};
  EXPECT_THAT(Message(Edit(options)), HasSubstr("no output depends on 'relu'"));
}

TEST_F(EditsTest, ImagesAreScaledShiftedAndDivided) {
  InterfaceOptions options;
  options.scale = 1.0 / 255;
  options.mean = {0.485, 0.456, 0.406};
  options.std = {0.25, 0.5, 2};
  ASSERT_TRUE(Edit(options).ok());
  const Tensor bytes = RandomTensor({1, 3, 5, 6}, 3, 0, 255);
  std::vector<double> normalized = bytes.ToDoubles();
  for (size_t i = 0; i < normalized.size(); ++i)
    normalized[i] = (normalized[i] / 255 - options.mean[i / 30]) / options.std[i / 30];
  const NamedTensors expected = Run(
      *maker_.graph, {{"input0", Tensor::From<double>({1, 3, 5, 6}, normalized).Cast(DataType::kFloat32)}, inputs_[1]});
  const NamedTensors actual = Run(*edited_, {{"input0", bytes}, inputs_[1]});
  ASSERT_EQ(actual.size(), 2u);
  for (size_t i = 0; i < 2; ++i) EXPECT_LT(Difference(expected[i].second, actual[i].second), 1e-5);
  options.mean = {1, 2};
  EXPECT_THAT(Message(Edit(options)),
              HasSubstr("--mean gives 2 values; the input 'input0' [1, 3, 5, 6] has 3 channels"));
  maker_.In({1, 1, 2, 2});
  options.mean = {1};
  options.std.clear();
  EXPECT_THAT(Message(Edit(options)), HasSubstr("exactly one input that can be an image"));
}

TEST_F(EditsTest, SoftmaxOverTheOnlyOutput) {
  InterfaceOptions options;
  options.softmax = true;
  EXPECT_THAT(Message(Edit(options)), HasSubstr("--softmax needs a model of one output"));
  options.cut_outputs = {"logits"};
  ASSERT_TRUE(Edit(options).ok());
  const std::vector<double> logits = Run(*maker_.graph, inputs_)[0].second.ToDoubles();
  double sum = 0;
  for (const double value : logits) sum += std::exp(value);
  const NamedTensors actual = Run(*edited_, inputs_);
  ASSERT_EQ(actual.size(), 1u);
  for (size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(actual[0].second.ToDoubles()[i], std::exp(logits[i]) / sum, 1e-6);
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(EditsTest, LabelsNameTheClassesOfOneOutput) {
  EXPECT_EQ(*LabelledOutput(*maker_.graph, 4), 0u);  // logits [1, 4]; of relu [1, 4, 5, 6] the last axis counts
  EXPECT_EQ(*LabelledOutput(*maker_.graph, 6), 1u);
  EXPECT_THAT(Message(LabelledOutput(*maker_.graph, 5).status()),
              HasSubstr("--labels names 5 classes; no output has as many: 'logits' [1, 4], 'relu' [1, 4, 5, 6]"));
  maker_.Out(maker_.Op(OpKind::kNeg, {logits_}));
  EXPECT_THAT(Message(LabelledOutput(*maker_.graph, 4).status()), HasSubstr("more than one output has as many"));
}

TEST_F(EditsTest, NamesAreTheArtifactsOnly) {
  const std::unique_ptr<Graph> graph = maker_.graph->Clone();
  InterfaceOptions options;
  options.input_names = {"input1", "image"};  // the first takes the second's name
  EXPECT_TRUE(RenameInterface(*graph, options).ok());
  EXPECT_THAT(Names(graph->inputs()), ElementsAre("input1", "image"));
  EXPECT_EQ(graph->inputs()[0]->origin.source, "input0");
  EXPECT_EQ(graph->inputs()[1]->origin.source, "input1");
  options.input_names = {};
  options.output_names = {"conv"};  // an inner tensor's name
  EXPECT_TRUE(RenameInterface(*graph, options).ok());
  EXPECT_THAT(Names(graph->outputs()), ElementsAre("conv", "relu"));
  EXPECT_EQ(graph->outputs()[0]->origin.source, "logits");
  EXPECT_TRUE(graph->Validate().ok());
  options.output_names = {"a", "b", "c"};
  EXPECT_THAT(Message(RenameInterface(*graph, options)), HasSubstr("gives 3 names, the model has 2 outputs"));
}

TEST_F(EditsTest, ChannelsLastInterface) {
  const std::unique_ptr<Graph> graph = maker_.graph->Clone();
  ASSERT_TRUE(MakeInterfaceChannelsLast(*graph).ok());
  ASSERT_TRUE(graph->Validate().ok());
  EXPECT_THAT(Names(graph->inputs()), ElementsAre("input0", "input1"));
  EXPECT_THAT(Names(graph->outputs()), ElementsAre("logits", "relu"));
  EXPECT_EQ(ToString(*graph->inputs()[0]->shape), "[1, 5, 6, 3]");
  EXPECT_THAT(graph->inputs()[0]->origin.permutation, ElementsAre(0, 2, 3, 1));
  EXPECT_THAT(graph->outputs()[1]->origin.permutation, ElementsAre(0, 2, 3, 1));
  const NamedTensors expected = Run(*maker_.graph, inputs_);
  const NamedTensors actual = Run(*graph, {{"input0", Transpose(inputs_[0].second, {0, 2, 3, 1})}, inputs_[1]});
  ASSERT_EQ(actual.size(), 2u);
  EXPECT_LT(Difference(expected[0].second, actual[0].second), 1e-6);
  EXPECT_LT(Difference(Transpose(expected[1].second, {0, 2, 3, 1}), actual[1].second), 1e-6);
}

// Layout of ordinary classifiers in TFLite: only the interface may be transposed, and with --io-layout nhwc not even that.
TEST(TfliteLayout, TransposesOfOrdinaryClassifiers) {
  for (const char* architecture : {"resnet18", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "lite"}) {
    for (const bool channels_last : {false, true}) {
      Source source;
      source.kind = Source::Kind::kDummy;
      source.architecture = architecture;
      source.input_size = 64;
      absl::StatusOr<Imported> imported = Import(source);
      ASSERT_TRUE(imported.ok()) << imported.status();
      Graph& graph = *imported->model.graph;
      if (channels_last) {
        ASSERT_TRUE(MakeInterfaceChannelsLast(graph).ok());
      }
      const absl::Status legalized = TfliteTarget().Legalize(graph, {});
      ASSERT_TRUE(legalized.ok()) << legalized;
      int transposes = 0;
      for (const auto& node : graph.nodes()) {
        if (node->kind != OpKind::kTranspose) continue;
        ++transposes;
        EXPECT_EQ(node->input(0), graph.inputs()[0]) << architecture << ": " << Describe(*node);
      }
      EXPECT_EQ(transposes, channels_last ? 0 : 1) << architecture;
    }
  }
}

}  // namespace
}  // namespace slipway::testing
