// ONNX models, node by node, as they lie in files: also those that no graph of ours can be.
#pragma once

#include <string>
#include <vector>

#include "convert/onnx_form/onnx.pb.h"

namespace slipway::testing {

class OnnxMaker {
 public:
  OnnxMaker() {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(17);
    model_.mutable_graph()->set_name("test");
  }

  onnx::ModelProto& model() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  void Input(const std::string& name, const std::vector<int64_t>& shape, int type = onnx::TensorProto::FLOAT) {
    Describe(*graph().add_input(), name, shape, type);
  }
  // What the file says of an inner tensor.
  void ValueInfo(const std::string& name, const std::vector<int64_t>& shape, int type = onnx::TensorProto::FLOAT) {
    Describe(*graph().add_value_info(), name, shape, type);
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
  // Of floats, with values.
  void Weights(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    Initializer(name, dims).set_raw_data(Raw(values));
  }
  // Of so many floats: a one and zeros that the file does not have.
  void SparseWeights(const std::string& name, int64_t elements) {
    auto& sparse = *graph().add_sparse_initializer();
    sparse.add_dims(elements);
    auto& values = *sparse.mutable_values();
    values.set_name(name);
    values.set_data_type(onnx::TensorProto::FLOAT);
    values.add_dims(1);
    values.add_float_data(1);
    auto& indices = *sparse.mutable_indices();
    indices.set_data_type(onnx::TensorProto::INT64);
    indices.add_dims(1);
    indices.add_int64_data(0);
  }
  static std::string Raw(const std::vector<float>& values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }

 protected:
  onnx::ModelProto model_;

 private:
  static void Describe(onnx::ValueInfoProto& info, const std::string& name, const std::vector<int64_t>& shape,
                       int type) {
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    for (int64_t size : shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
  }
};

}  // namespace slipway::testing
