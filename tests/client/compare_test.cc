// slipway compare: models of every format on the same inputs, in their real runtimes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// y = conv(relu(conv(image)), w2 × factor) − bias_image: two inputs that cannot change places.
constexpr const char* kMake = R"(
import numpy as np, onnx, sys
from onnx import TensorProto, helper, numpy_helper
def save(name, factor=1.0, names=('image', 'other', 'y'), size=(1, 3, 12, 16), swapped=False, outputs=1):
    rng = np.random.default_rng(5)
    weights = [numpy_helper.from_array(rng.normal(size=(8, 3, 3, 3)).astype(np.float32) / 3, 'w1'),
               numpy_helper.from_array(rng.normal(size=(4, 8, 3, 3)).astype(np.float32) / 5 * np.float32(factor), 'w2')]
    image = helper.make_tensor_value_info(names[0], TensorProto.FLOAT, size)
    other = helper.make_tensor_value_info(names[1], TensorProto.FLOAT, size)
    nodes = [helper.make_node('Conv', [names[0], 'w1'], ['c1'], pads=[1, 1, 1, 1]), helper.make_node('Relu', ['c1'], ['r1']),
             helper.make_node('Conv', ['r1', 'w2'], ['c2'], pads=[1, 1, 1, 1]), helper.make_node('ReduceMean', [names[1]], ['m'], axes=[1], keepdims=1),
             helper.make_node('Sub', ['c2', 'm'], ['s']), helper.make_node('Tanh', ['s'], [names[2]])]
    results = [helper.make_tensor_value_info(names[2], TensorProto.FLOAT, None)]
    if outputs == 2:
        results.append(helper.make_tensor_value_info('c2', TensorProto.FLOAT, None))
    graph = helper.make_graph(nodes, 'g', [other, image] if swapped else [image, other], results, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), name)
save('a.onnx')
save('scaled.onnx', 1.02)
save('swapped.onnx', swapped=True)
save('renamed.onnx', names=('pixels', 'mean', 'result'))
save('open.onnx', size=('N', 3, 'H', 'W'))
save('small.onnx', size=(1, 3, 8, 8))
save('two.onnx', outputs=2)
)";

class CompareTest : public testing::Test {
 protected:
  void SetUp() override {
    box_.File("make.py", kMake);
    const char* python = std::getenv("SLIPWAY_PYTHON");
    ASSERT_NE(python, nullptr) << "SLIPWAY_PYTHON is not set: run the tests by tests/run.sh";
    ASSERT_EQ(box_.StartProgram(python, {"make.py"})->Wait().code, 0);
  }
  void TearDown() override { EXPECT_THAT(box_.Leftovers(), IsEmpty()); }

  json Compare(std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.begin(), "compare");
    arguments.emplace_back("--json");
    const Ended ended = box_.Run(arguments);
    EXPECT_EQ(ended.code, code) << ended.out << ended.err;
    return json::parse(ended.out, nullptr, /*allow_exceptions=*/false);
  }
  Sandbox box_;
};

TEST_F(CompareTest, AModelAgainstEveryFormatOfItsExport) {
  const Ended exported = box_.Run({"export", "a.onnx", "scaled.onnx", "--out", "out"});
  ASSERT_EQ(exported.code, 0) << exported.out << exported.err;
  // The folder holds two models; the hash of the source says which is meant.
  const json compared = Compare({"a.onnx", "out", "--samples", "4"}, 0);
  EXPECT_EQ(compared["schema"], "slipway.compare/1");
  std::map<std::string, const json*> variants;
  for (const json& variant : compared["variants"]) {
    variants[variant["target"]] = &variant;
    EXPECT_THAT(variant["path"].get<std::string>(), HasSubstr("out/a/"));
    EXPECT_EQ(variant["verdict"], "passed");
    EXPECT_EQ(variant["samples"], 4);
    size_t layers = 0;
    for (const json& run : variant["runs"]) {
      EXPECT_EQ(run["outputs"][0]["name"], "y");
      EXPECT_LT(run["outputs"][0]["l_inf"], 1e-4);
      EXPECT_GT(run["outputs"][0]["cosine"], 0.9999);
      EXPECT_TRUE(run["first_diverging_layer"].is_null());
      layers += run["layers"].size();
    }
    EXPECT_GT(layers, 0u) << variant["target"];
  }
  EXPECT_EQ(variants.size(), 4u);
  EXPECT_EQ(variants["tflite"]->at("runs").size(), 2u);
  EXPECT_THAT(box_.Run({"compare", "renamed.onnx", "out"}).err, HasSubstr("artifacts of 2 models"));
}

// Other weights are seen from any of them, down to the convolution that has them.
TEST_F(CompareTest, AnyFormatCanBeTheBaseline) {
  ASSERT_EQ(box_.Run({"export", "a.onnx", "--target", "tflite,ncnn,coreml", "--out", "out"}).code, 0);
  for (const char* baseline : {"out/a/tflite-fp32/a.tflite", "out/a/ncnn-fp32/a.param", "out/a/coreml-fp32"}) {
    const json compared = Compare({baseline, "scaled.onnx", "a.onnx", "--samples", "2"}, 1);
    ASSERT_EQ(compared["variants"].size(), 2u);
    EXPECT_EQ(compared["variants"][0]["verdict"], "failed") << baseline;
    EXPECT_EQ(compared["variants"][0]["runs"][0]["first_diverging_layer"], "c2") << baseline;
    EXPECT_EQ(compared["variants"][1]["verdict"], "passed") << baseline;
  }
}

TEST_F(CompareTest, DifferencesAreShownAndTheToleranceDecides) {
  const Ended shown = box_.Run({"compare", "a.onnx", "scaled.onnx", "swapped.onnx"});
  EXPECT_EQ(shown.code, 1) << shown.out << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("scaled.onnx (onnx fp32): failed"), HasSubstr("first diverging: 'c2'"),
                               HasSubstr("swapped.onnx (onnx fp32): passed"), HasSubstr("max abs")));
  const json compared = Compare({"a.onnx", "scaled.onnx", "--tolerance", "0.05"}, 0);
  EXPECT_EQ(compared["variants"][0]["thresholds"]["raw"]["l_inf_scaled"], 0.05);
  EXPECT_GT(compared["variants"][0]["runs"][0]["outputs"][0]["l_inf"], 1e-3);
  // A tolerance that any output would meet shows nothing.
  EXPECT_EQ(Compare({"a.onnx", "scaled.onnx", "--tolerance", "100"}, 3)["variants"][0]["verdict"],
            "not_discriminating");
}

TEST_F(CompareTest, InputsAreMatchedByNameThenByOrder) {
  const json compared = Compare({"a.onnx", "renamed.onnx"}, 0);
  EXPECT_EQ(compared["variants"][0]["inputs"][1],
            json::parse(R"({"baseline":"other","variant":"mean","shape":[1,3,12,16]})"));
}

// Files that no manifest describes: channels last is found by the shapes.
TEST_F(CompareTest, OtherLayoutsAreFoundWithoutAManifest) {
  ASSERT_EQ(
      box_.Run({"export", "a.onnx", "--target", "tflite,ncnn", "--no-verify", "--io-layout", "nhwc", "--out", "out"})
          .code,
      0);
  fs::copy(box_.work() / "out/a/tflite-fp32/a.tflite", box_.work() / "alone.tflite");
  fs::copy(box_.work() / "out/a/ncnn-fp32/a.param", box_.work() / "alone.param");
  fs::copy(box_.work() / "out/a/ncnn-fp32/a.bin", box_.work() / "alone.bin");
  const json compared = Compare({"a.onnx", "alone.tflite", "out/a/ncnn-fp32"}, 0);
  EXPECT_EQ(compared["variants"].size(), 2u);
  // Nothing says what an inner tensor's name stands for: 'c1' has the activation fused in.
  for (const json& variant : compared["variants"]) EXPECT_THAT(variant["runs"][0]["layers"], IsEmpty());
  EXPECT_EQ(box_.Run({"compare", "alone.tflite", "alone.param"}).code, 0);
}

TEST_F(CompareTest, OpenSizesAreFixed) {
  EXPECT_EQ(Compare({"open.onnx", "a.onnx"}, 0)["variants"][0]["inputs"][0]["shape"], json({1, 3, 12, 16}));
  const json asked = Compare({"open.onnx", "open.onnx", "--shape", "image=2,3,10,14"}, 0);
  EXPECT_EQ(asked["variants"][0]["inputs"][0]["shape"], json({2, 3, 10, 14}));
  const Ended wrong = box_.Run({"compare", "a.onnx", "a.onnx", "--shape", "image=1,3,99,16"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("cannot be [1, 3, 99, 16]"));
  EXPECT_EQ(box_.Run({"compare", "a.onnx", "a.onnx", "--shape", "picture=1,3,9,9"}).code, 2);
}

TEST_F(CompareTest, WhatDoesNotFitSaysWhy) {
  const Ended sizes = box_.Run({"compare", "a.onnx", "small.onnx"});
  EXPECT_EQ(sizes.code, 1);
  EXPECT_THAT(
      sizes.out,
      HasSubstr("the interfaces do not fit: input 'image' of the baseline is float32 [1, 3, 12, 16], 'image' here is "
                "float32 [1, 3, 8, 8]"));
  const Ended outputs = box_.Run({"compare", "a.onnx", "two.onnx"});
  EXPECT_EQ(outputs.code, 1);
  EXPECT_THAT(outputs.out, HasSubstr("the baseline has 1 outputs ('y'), this one 2 ('y', 'c2')"));
  box_.File("bad.onnx", "no model");
  EXPECT_EQ(box_.Run({"compare", "a.onnx", "bad.onnx"}).code, 1);
  EXPECT_EQ(box_.Run({"compare", "bad.onnx", "a.onnx"}).code, 1);
  EXPECT_EQ(box_.Run({"compare", "a.onnx", "missing.onnx"}).code, 2);
  EXPECT_EQ(box_.Run({"compare", "a.onnx"}).code, 2);
  const Ended nobody = box_.Run({"compare", "a.onnx", "a.onnx", "--python", "/nowhere/python"});
  EXPECT_EQ(nobody.code, 3);
  EXPECT_THAT(nobody.err, HasSubstr("/nowhere/python"));
}

// Said once which file it is.
TEST_F(CompareTest, AVariantThatCannotBeReadIsNamedOnce) {
  box_.File("bad.onnx", "no model");
  const Ended ended = box_.Run({"compare", "a.onnx", "bad.onnx"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("\nbad.onnx: not a readable ONNX model"));
}

}  // namespace
}  // namespace slipway
