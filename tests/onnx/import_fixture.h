// Models built in the test, by protobuf's own classes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "tests/onnx/harness.h"

namespace slipway::testing {

// A model under construction, and what importing it says.
class OnnxImport : public ::testing::Test {
 protected:
  OnnxImport() : folder_(*TemporaryFolder::Create("/tmp", "slipway-import-")) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(17);
    model_.mutable_graph()->set_name("test");
  }

  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  void Input(const std::string& name, const std::vector<int64_t>& shape, int type = onnx::TensorProto::FLOAT) {
    auto& info = *graph().add_input();
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    for (int64_t size : shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
  }
  void Output(const std::string& name) { graph().add_output()->set_name(name); }
  onnx::NodeProto& Node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, const std::string& name = "") {
    auto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(name);
    for (const auto& input : inputs) node.add_input(input);
    for (const auto& output : outputs) node.add_output(output);
    return node;
  }
  onnx::TensorProto& Initializer(const std::string& name, const std::vector<int64_t>& dims,
                                 int type = onnx::TensorProto::FLOAT) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (int64_t dim : dims) tensor.add_dims(dim);
    return tensor;
  }
  absl::StatusOr<Model> Import(const std::map<std::string, std::vector<int64_t>>& shapes = {}) {
    ASSIGN_OR_RETURN(source_, SourceOf(model_, folder_.path()));
    source_.interface.shapes = shapes;
    return ImportOnnx(source_);
  }
  // The one-line error of importing the model as it stands.
  std::string Error(const std::map<std::string, std::vector<int64_t>>& shapes = {}) {
    const auto model = Import(shapes);
    if (model.ok()) return "no error";
    EXPECT_EQ(KindOf(model.status()), ErrorKind::kModel) << model.status();
    EXPECT_EQ(Message(model.status()).find('\n'), std::string::npos);
    EXPECT_THAT(Message(model.status()), ::testing::HasSubstr("model.onnx"));
    return Message(model.status());
  }

  TemporaryFolder folder_;
  onnx::ModelProto model_;
  Source source_;
};

inline std::string Raw(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

}  // namespace slipway::testing
