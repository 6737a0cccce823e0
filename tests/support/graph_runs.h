// Graphs written by hand, and their results in onnxruntime: for tests of passes and targets.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/shapes.h"
#include "convert/runtimes/runtime.h"
#include "tests/support/hosts.h"

namespace slipway::testing {

inline Tensor RandomTensor(std::vector<int64_t> shape, uint64_t seed, float low = -1, float high = 1) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  for (float& value : values) value = low + (high - low) * static_cast<float>(random.Uniform());
  return Tensor::From(std::move(shape), values);
}

// A graph under construction; every value that a node makes is its own origin, as after an import.
class GraphMaker {
 public:
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();

  Value* In(Shape shape, DataType type = DataType::kFloat32) {
    Value* value = graph->AddInput("input" + std::to_string(graph->inputs().size()), type, std::move(shape));
    value->origin.source = value->name;
    return value;
  }
  Value* Constant(Tensor tensor) { return graph->AddConstant("", std::move(tensor)); }
  Value* Random(std::vector<int64_t> shape, float low = -1, float high = 1) {
    return Constant(RandomTensor(std::move(shape), ++seed_, low, high));
  }
  Value* Ints(std::vector<int64_t> values) { return Constant(Tensor::Int64s(values)); }
  Value* Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    auto node = AddInferred(*graph, kind, std::move(inputs), "", std::move(attributes));
    if (!node.ok()) {
      ADD_FAILURE() << node.status();
      std::abort();
    }
    (*node)->output()->origin.source = (*node)->output()->name;
    return (*node)->output();
  }
  // The outputs of a node that has several.
  std::vector<Value*> Ops(OpKind kind, std::vector<Value*> inputs, size_t count, Attributes attributes = {}) {
    Node* node = graph->AddNode(kind, std::move(inputs), std::vector<std::string>(count), std::move(attributes));
    if (const absl::Status status = InferNode(*node); !status.ok()) {
      ADD_FAILURE() << status;
      std::abort();
    }
    for (Value* output : node->outputs) output->origin.source = output->name;
    return node->outputs;
  }
  Value* Conv(Value* data, int64_t channels, int64_t kernel, std::vector<int64_t> strides = {1, 1},
              std::vector<int64_t> pads = {0, 0, 0, 0}) {
    const int64_t in = (*data->shape)[1].value();
    Attributes attributes;
    attributes.Set("strides", strides);
    attributes.Set("pads", pads);
    return Op(OpKind::kConv, {data, Random({channels, in, kernel, kernel}, -0.5f, 0.5f), Random({channels})},
              attributes);
  }
  void Out(Value* value) { graph->AddOutput(value); }

 private:
  uint64_t seed_ = 100;
};

// Attributes in one expression: Attrs().Set("axis", 1).
class Attrs {
 public:
  Attrs Set(std::string name, AttributeValue value) const {
    Attrs more = *this;
    more.attributes_.Set(name, std::move(value));
    return more;
  }
  Attrs Ints(std::string name, std::vector<int64_t> values) const { return Set(std::move(name), std::move(values)); }
  Attrs Int(std::string name, int64_t value) const { return Set(std::move(name), value); }
  Attrs Float(std::string name, float value) const { return Set(std::move(name), value); }
  Attrs Text(std::string name, std::string value) const { return Set(std::move(name), std::move(value)); }
  operator Attributes() const { return attributes_; }  // NOLINT: it stands for one

 private:
  Attributes attributes_;
};

// Seeded inputs of a graph; symbols by `sizes`.
inline NamedTensors RandomInputs(const Graph& graph, const std::map<std::string, int64_t>& sizes = {}, float low = -1,
                                 float high = 1) {
  NamedTensors inputs;
  for (const Value* input : graph.inputs()) {
    std::vector<int64_t> shape;
    for (const Dim& dim : *input->shape) shape.push_back(dim.Evaluate(sizes).value_or(-1));
    inputs.emplace_back(input->name, RandomTensor(shape, 7 + inputs.size(), low, high).Cast(input->type));
  }
  return inputs;
}

// Outputs, then `extra`, of a graph in onnxruntime.
inline absl::StatusOr<NamedTensors> RunInOnnxruntime(const Graph& graph, const NamedTensors& inputs,
                                                     const std::vector<const Value*>& extra = {}) {
  ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create("/tmp", "slipway-graph-case-"));
  OnnxFormOptions options;
  options.extra_outputs = extra;
  RETURN_IF_ERROR(WriteOnnxFile(graph, options, folder.path() / "graph.onnx").status());
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, LoadReference(Hosts(), folder.path() / "graph.onnx"));
  std::vector<std::string> names;
  for (const Value* output : graph.outputs()) names.push_back(output->name);
  for (const Value* value : extra) names.push_back(value->name);
  return session->Run(inputs, names);
}

// Largest difference over the largest magnitude of `expected`; infinite for other shapes, types or numbers that are none.
inline double Difference(const Tensor& expected, const Tensor& actual) {
  if (expected.shape() != actual.shape()) {
    ADD_FAILURE() << "shape " << ToString(actual.shape()) << ", not " << ToString(expected.shape());
    return INFINITY;
  }
  const std::vector<double> a = expected.ToDoubles(), b = actual.ToDoubles();
  double error = 0, scale = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(b[i]) && a[i] != b[i]) return INFINITY;
    error = std::max(error, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(a[i]));
  }
  return error / (scale > 0 ? scale : 1);
}

}  // namespace slipway::testing
