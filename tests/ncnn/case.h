// Small graphs, written briefly, for comparison with onnxruntime.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "convert/passes/passes.h"
#include "convert/passes/shapes.h"
#include "tests/ncnn/harness.h"

namespace slipway::testing {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

// Writes cases briefly: x() is an input, c() a constant, then ops by kind.
class Case {
 public:
  Case() : graph(std::make_unique<Graph>()) {}
  Value* x(Shape shape, DataType type = DataType::kFloat32) {
    return graph->AddInput("x" + std::to_string(graph->inputs().size()), type, std::move(shape));
  }
  Value* c(Ints shape, float low = -1, float high = 1) {
    return graph->AddConstant("c", RandomTensor(std::move(shape), ++seed_, low, high));
  }
  Value* ints(Ints values) { return graph->AddConstant("i", Tensor::Int64s(values)); }
  Value* number(float value) { return graph->AddConstant("n", Tensor::Scalar(value)); }
  Value* op(OpKind kind, std::vector<Value*> inputs,
            std::vector<std::pair<std::string, AttributeValue>> attributes = {}, int outputs = 1) {
    Attributes all;
    for (auto& [name, value] : attributes) all.Set(name, std::move(value));
    std::vector<std::string> names;
    for (int i = 0; i < outputs; ++i) names.push_back("v");
    last = graph->AddNode(kind, std::move(inputs), names, std::move(all));
    return last->output();
  }
  // The error of all that no node reads.
  void Expect(float low = -1, float high = 1, double limit = 1e-5, const std::map<std::string, int64_t>& sizes = {}) {
    const auto inferred = MakeInferShapes()->Run(*graph);
    ASSERT_TRUE(inferred.ok()) << inferred.status();
    for (const auto& node : graph->nodes()) {
      for (Value* output : node->outputs) {
        if (output != nullptr && output->uses.empty()) graph->AddOutput(output);
      }
    }
    const absl::StatusOr<double> error = CompareWithOnnxruntime(*graph, sizes, low, high);
    ASSERT_TRUE(error.ok()) << error.status();
    EXPECT_LE(*error, limit);
  }

  std::unique_ptr<Graph> graph;
  Node* last = nullptr;

 private:
  uint64_t seed_ = 100;
};

}  // namespace slipway::testing
