// slipway inspect: exit codes and output of the verb.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/client/command.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(InspectVerb, CheckpointIsShownAndCanBeConverted) {
  Sandbox box;
  const Ended ended = box.Run({"inspect", Weights("pnet"), "--for", "onnx,ncnn", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  const auto shown = nlohmann::json::parse(ended.out);
  EXPECT_EQ(shown["schema"], "slipway.inspect/1");
  EXPECT_EQ(shown["fits"], nlohmann::json({"mtcnn-pnet"}));
  EXPECT_EQ(shown["weights"][0]["elements"], 6632);  // facenet-pytorch's P-Net
  EXPECT_EQ(shown["targets"]["ncnn"]["convertible"], true);
  EXPECT_TRUE(box.Leftovers().empty());
}

// Two ops that nobody knows, and a branch with a third.
constexpr const char* kUnknown = R"(
import onnx
from onnx import TensorProto, helper
x = helper.make_tensor_value_info('x', TensorProto.FLOAT, [2, 4])
flag = helper.make_tensor_value_info('flag', TensorProto.BOOL, [])
y = helper.make_tensor_value_info('y', TensorProto.FLOAT, [2, 4])
z = helper.make_tensor_value_info('z', TensorProto.FLOAT, [2, 4])
p = helper.make_tensor_value_info('p', TensorProto.INT64, None)
inner = helper.make_graph([helper.make_node('Third', ['x'], ['t'], name='c', domain='com.acme')], 't', [], [helper.make_tensor_value_info('t', TensorProto.FLOAT, [2, 4])])
other = helper.make_graph([helper.make_node('Relu', ['x'], ['e'])], 'e', [], [helper.make_tensor_value_info('e', TensorProto.FLOAT, [2, 4])])
nodes = [helper.make_node('First', ['x'], ['m'], name='a', domain='com.acme'), helper.make_node('Second', ['m'], ['y'], name='b', domain='com.acme'),
         helper.make_node('If', ['flag'], ['z'], name='choice', then_branch=inner, else_branch=other), helper.make_node('NonZero', ['x'], ['p'], name='places')]
graph = helper.make_graph(nodes, 'g', [x, flag], [y, z, p])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.acme', 1)], ir_version=8)
open('model.onnx', 'wb').write(model.SerializeToString())
)";

TEST(InspectVerb, EveryBlockingNodeIsShownAndExportNamesTheOps) {
  Sandbox box;
  box.File("make.py", kUnknown);
  const char* python = std::getenv("SLIPWAY_PYTHON");
  ASSERT_NE(python, nullptr) << "SLIPWAY_PYTHON is not set: run the tests by tests/run.sh";
  ASSERT_EQ(box.StartProgram(python, {"make.py"})->Wait().code, 0);
  const Ended asked = box.Run({"inspect", "model.onnx", "--for", "onnx,ncnn"});
  EXPECT_EQ(asked.code, 1) << asked.err;
  EXPECT_THAT(asked.out, AllOf(HasSubstr("for onnx: 3 blocking"), HasSubstr("for ncnn: 4 blocking"),
                               HasSubstr("NonZero 'places' (output 'p'): NCNN has no layer for it")));
  const Ended exported = box.Run({"export", "model.onnx", "--target", "onnx"});
  EXPECT_EQ(exported.code, 1);
  for (const char* op :
       {"com.acme::First 'a'", "com.acme::Second 'b'", "If 'choice' (output 'z'): com.acme::Third 'c'"})
    EXPECT_THAT(exported.out, HasSubstr(op));
}

TEST(InspectVerb, ExitCodesSayWhoseFaultItIs) {
  Sandbox box;
  EXPECT_EQ(box.Run({"inspect", "missing.onnx"}).code, 2);
  EXPECT_EQ(box.Run({"inspect", Weights("pnet"), "--for", "nothing"}).code, 2);
  box.File("bad.onnx", "this is no model");
  const Ended bad = box.Run({"inspect", "bad.onnx"});
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("bad.onnx"), HasSubstr("not a readable ONNX model")));
}

}  // namespace
}  // namespace slipway
