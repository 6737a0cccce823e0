// Models that are wrong, made step by step.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "convert/import/import.h"
#include "tests/onnx/import_fixture.h"

namespace slipway::testing {

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

}  // namespace slipway::testing
