// What is asked of a model's interface, through the whole farm, proved in all four formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/command.h"

namespace slipway {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class InterfaceTest : public testing::Test {
 protected:
  // The only model of an export in which every cell passes.
  json Export(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "export");
    const Ended ended = box_.Run(arguments);
    EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
    const std::string text = ReadAll(box_.work() / "exports/manifest.json");
    EXPECT_THAT(SchemaErrors(text), IsEmpty()) << text;
    const json manifest = json::parse(text, nullptr, false);
    reproduce_ = manifest["reproduce"];
    err_ = ended.err;
    const json model = manifest["models"][0];
    EXPECT_EQ(model["artifacts"].size(), 4u);
    for (const json& artifact : model["artifacts"]) EXPECT_EQ(artifact["status"], "passed") << artifact["reason"];
    return model;
  }
  // x [1, 3, 8, 8] and gain [1] → features = Relu(Conv(x)) × gain → y = Sigmoid(features).
  void MakeOnnx() {
    box_.File("make.py", R"(
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
rng = np.random.default_rng(0)
info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
nodes = [helper.make_node('Conv', ['x', 'w'], ['conv'], pads=[1, 1, 1, 1]), helper.make_node('Relu', ['conv'], ['relu']),
         helper.make_node('Mul', ['relu', 'gain'], ['features']), helper.make_node('Sigmoid', ['features'], ['y'])]
graph = helper.make_graph(nodes, 'g', [info('x', [1, 3, 8, 8]), info('gain', [1])], [info('y', [1, 4, 8, 8])],
                          [numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), 'w')])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), 'net.onnx')
)");
    const char* python = std::getenv("SLIPWAY_PYTHON");
    ASSERT_NE(python, nullptr) << "SLIPWAY_PYTHON is not set: run the tests by tests/run.sh";
    ASSERT_EQ(box_.StartProgram(python, {"make.py"})->Wait().code, 0);
  }
  static std::vector<std::string> Names(const json& tensors) {
    std::vector<std::string> names;
    for (const json& tensor : tensors) names.push_back(tensor["name"]);
    return names;
  }

  Sandbox box_;
  std::string reproduce_, err_;
};

TEST_F(InterfaceTest, ClassifierPreset) {
  box_.File("digits.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
  const json model = Export(
      {"lite", "--dummy", "--input-size", "64", "--preset", "classifier", "--scale", "0.5", "--labels", "digits.txt"});
  EXPECT_THAT(err_, HasSubstr("lite: --preset classifier normalises by mean 0.485,0.456,0.406 and std "
                              "0.229,0.224,0.225, what lite's weights expect"));
  EXPECT_THAT(reproduce_, HasSubstr("--labels digits.txt"));
  EXPECT_THAT(model["io_schema"]["outputs"][0]["labels"],
              ElementsAre("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"));
  EXPECT_THAT(reproduce_, HasSubstr("--scale 0.5 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --softmax "
                                    "--input-name image --output-name probs"));
  EXPECT_THAT(model["reference"].get<std::string>(), HasSubstr("edited by --scale, --mean, --std, --softmax"));
  for (const json& artifact : model["artifacts"]) {
    EXPECT_EQ(artifact["io_schema"]["outputs"][0]["name"], "probs");
    EXPECT_EQ(artifact["io_schema"]["outputs"][0]["source"], "logits/softmax");
    EXPECT_EQ(artifact["io_schema"]["inputs"][0]["source"], "image");
  }
}

TEST_F(InterfaceTest, FixedInput) {
  MakeOnnx();
  const json model = Export({"net.onnx", "--fix", "gain=0.5"});
  EXPECT_THAT(reproduce_, HasSubstr("--fix gain=0.5"));
  EXPECT_EQ(model["reference"], "onnxruntime on the source graph, edited by --fix");
  for (const json& artifact : model["artifacts"]) EXPECT_THAT(Names(artifact["io_schema"]["inputs"]), ElementsAre("x"));
}

TEST_F(InterfaceTest, CutGraph) {
  MakeOnnx();
  const json model = Export({"net.onnx", "--cut-inputs", "conv", "--cut-outputs", "features,relu"});
  EXPECT_THAT(reproduce_, HasSubstr("--cut-inputs conv --cut-outputs features,relu"));
  EXPECT_THAT(Names(model["io_schema"]["inputs"]), ElementsAre("gain", "conv"));
  EXPECT_THAT(Names(model["io_schema"]["outputs"]), ElementsAre("features", "relu"));
  const Ended ended = box_.Run({"export", "net.onnx", "--cut-outputs", "feature", "--target", "onnx"});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("nearest: 'features'"));
}

TEST_F(InterfaceTest, ChannelsLast) {
  MakeOnnx();
  const json model = Export({"net.onnx", "--io-layout", "nhwc"});
  EXPECT_THAT(reproduce_, HasSubstr("--io-layout nhwc"));
  EXPECT_EQ(model["reference"], "onnxruntime on the source file");
  for (const json& artifact : model["artifacts"]) {
    for (const json& tensor : {artifact["io_schema"]["inputs"][0], artifact["io_schema"]["outputs"][0]}) {
      EXPECT_EQ(tensor["layout"], "NHWC") << artifact["target"];
      EXPECT_EQ(tensor["permutation"], json({0, 2, 3, 1})) << artifact["target"];
    }
    std::vector<int> shape = artifact["io_schema"]["inputs"][0]["shape"];
    if (artifact["target"] == "ncnn") shape.insert(shape.begin(), 1);
    EXPECT_THAT(shape, ElementsAre(1, 8, 8, 3)) << artifact["target"];
  }
}

}  // namespace
}  // namespace slipway
