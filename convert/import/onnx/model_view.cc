#include "convert/import/onnx/model_view.h"

#include "common/base/error.h"
#include "convert/import/onnx/node_order.h"
#include "convert/import/onnx/wire.h"
#include "convert/onnx_form/onnx.pb.h"

namespace slipway::onnx_import {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxDomains = 1000;

std::string_view CanonicalDomain(std::string_view domain) { return domain == "ai.onnx" ? std::string_view() : domain; }

absl::Status ReadGraph(std::span<const std::byte> bytes, int depth, GraphView& graph);

absl::Status ReadEntry(std::span<const std::byte> bytes, std::string_view& key, std::string_view& value) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == onnx::StringStringEntryProto::kKeyFieldNumber) key = reader.String();
    if (reader.field() == onnx::StringStringEntryProto::kValueFieldNumber) value = reader.String();
  }
  return reader.status();
}

absl::Status ReadTensor(std::span<const std::byte> bytes, TensorView& tensor) {
  using P = onnx::TensorProto;
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kDimsFieldNumber:
        reader.AppendInts(tensor.dims);
        break;
      case P::kDataTypeFieldNumber:
        tensor.data_type = static_cast<int32_t>(reader.Int());
        break;
      case P::kSegmentFieldNumber:
        tensor.segmented = true;
        break;
      case P::kNameFieldNumber:
        tensor.name = reader.String();
        break;
      case P::kRawDataFieldNumber:
        tensor.raw = reader.Bytes();
        break;
      case P::kFloatDataFieldNumber:
      case P::kDoubleDataFieldNumber:
        tensor.fixed.push_back(reader.FixedBytes());
        break;
      case P::kInt32DataFieldNumber:
      case P::kInt64DataFieldNumber:
      case P::kUint64DataFieldNumber:
        reader.AppendInts(tensor.varints);
        break;
      case P::kStringDataFieldNumber:
        tensor.strings.push_back(reader.String());
        break;
      case P::kDataLocationFieldNumber:
        tensor.external = reader.Int() == P::EXTERNAL;
        break;
      case P::kExternalDataFieldNumber: {
        std::string_view key, value;
        RETURN_IF_ERROR(ReadEntry(reader.Bytes(), key, value));
        tensor.external_data[key] = value;
        break;
      }
      default:
        break;
    }
  }
  return reader.status();
}

absl::Status ReadSparseTensor(std::span<const std::byte> bytes, SparseTensorView& tensor) {
  using P = onnx::SparseTensorProto;
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kValuesFieldNumber:
        RETURN_IF_ERROR(ReadTensor(reader.Bytes(), tensor.values));
        break;
      case P::kIndicesFieldNumber:
        RETURN_IF_ERROR(ReadTensor(reader.Bytes(), tensor.indices));
        break;
      case P::kDimsFieldNumber:
        reader.AppendInts(tensor.dims);
        break;
      default:
        break;
    }
  }
  return reader.status();
}

absl::Status ReadAttribute(std::span<const std::byte> bytes, int depth, AttributeView& attribute) {
  using P = onnx::AttributeProto;
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kNameFieldNumber:
        attribute.name = reader.String();
        break;
      case P::kTypeFieldNumber:
        attribute.type = reader.Int();
        break;
      case P::kRefAttrNameFieldNumber:
        attribute.reference = reader.String();
        break;
      case P::kFFieldNumber:
        attribute.f = reader.Float();
        break;
      case P::kIFieldNumber:
        attribute.i = reader.Int();
        break;
      case P::kSFieldNumber:
        attribute.s = reader.String();
        break;
      case P::kFloatsFieldNumber:
        reader.AppendFloats(attribute.floats);
        break;
      case P::kIntsFieldNumber:
        reader.AppendInts(attribute.ints);
        break;
      case P::kStringsFieldNumber:
        attribute.strings.push_back(reader.String());
        break;
      case P::kTFieldNumber:
        attribute.t = std::make_shared<TensorView>();
        RETURN_IF_ERROR(ReadTensor(reader.Bytes(), *attribute.t));
        break;
      case P::kSparseTensorFieldNumber:
        attribute.sparse = std::make_shared<SparseTensorView>();
        RETURN_IF_ERROR(ReadSparseTensor(reader.Bytes(), *attribute.sparse));
        break;
      case P::kGFieldNumber:
        attribute.g = std::make_shared<GraphView>();
        RETURN_IF_ERROR(ReadGraph(reader.Bytes(), depth + 1, *attribute.g));
        break;
      default:
        break;
    }
  }
  return reader.status();
}

absl::Status ReadNode(std::span<const std::byte> bytes, int depth, NodeView& node) {
  using P = onnx::NodeProto;
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kInputFieldNumber:
        node.inputs.push_back(reader.String());
        break;
      case P::kOutputFieldNumber:
        node.outputs.push_back(reader.String());
        break;
      case P::kNameFieldNumber:
        node.name = reader.String();
        break;
      case P::kOpTypeFieldNumber:
        node.op_type = reader.String();
        break;
      case P::kDomainFieldNumber:
        node.domain = CanonicalDomain(reader.String());
        break;
      case P::kAttributeFieldNumber:
        RETURN_IF_ERROR(ReadAttribute(reader.Bytes(), depth, node.attributes.emplace_back()));
        break;
      default:
        break;
    }
  }
  return reader.status();
}

absl::Status ReadShape(std::span<const std::byte> bytes, std::vector<DimView>& shape) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() != onnx::TensorShapeProto::kDimFieldNumber) continue;
    DimView& dim = shape.emplace_back();
    WireReader field(reader.Bytes());
    while (field.Next()) {
      if (field.field() == onnx::TensorShapeProto::Dimension::kDimValueFieldNumber) dim.value = field.Int();
      if (field.field() == onnx::TensorShapeProto::Dimension::kDimParamFieldNumber) dim.parameter = field.String();
    }
    RETURN_IF_ERROR(field.status());
  }
  return reader.status();
}

absl::Status ReadTensorType(std::span<const std::byte> bytes, ValueInfoView& info) {
  using P = onnx::TypeProto::Tensor;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == P::kElemTypeFieldNumber) info.element_type = static_cast<int32_t>(reader.Int());
    if (reader.field() == P::kShapeFieldNumber) {
      info.has_shape = true;
      RETURN_IF_ERROR(ReadShape(reader.Bytes(), info.shape));
    }
  }
  return reader.status();
}

absl::Status ReadValueInfo(std::span<const std::byte> bytes, ValueInfoView& info) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == onnx::ValueInfoProto::kNameFieldNumber) info.name = reader.String();
    if (reader.field() != onnx::ValueInfoProto::kTypeFieldNumber) continue;
    info.has_type = true;
    WireReader type(reader.Bytes());
    while (type.Next()) {
      if (type.field() != onnx::TypeProto::kTensorTypeFieldNumber) continue;
      info.is_tensor = true;
      RETURN_IF_ERROR(ReadTensorType(type.Bytes(), info));
    }
    RETURN_IF_ERROR(type.status());
  }
  return reader.status();
}

absl::Status ReadGraph(std::span<const std::byte> bytes, int depth, GraphView& graph) {
  using P = onnx::GraphProto;
  if (depth > kMaxDepth) {
    return InvalidArgument("graphs inside graphs (If, Loop, Scan) are nested more than {} deep; flatten the model",
                           kMaxDepth);
  }
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kNameFieldNumber:
        graph.name = reader.String();
        break;
      case P::kNodeFieldNumber: {
        NodeView& node = graph.nodes.emplace_back();
        const absl::Status status = ReadNode(reader.Bytes(), depth, node);
        if (!status.ok())
          return depth == 0 && absl::IsInvalidArgument(status) ? Annotate(status, Describe(node)) : status;
        break;
      }
      case P::kInitializerFieldNumber:
        RETURN_IF_ERROR(ReadTensor(reader.Bytes(), graph.initializers.emplace_back()));
        break;
      case P::kSparseInitializerFieldNumber:
        RETURN_IF_ERROR(ReadSparseTensor(reader.Bytes(), graph.sparse_initializers.emplace_back()));
        break;
      case P::kInputFieldNumber:
        RETURN_IF_ERROR(ReadValueInfo(reader.Bytes(), graph.inputs.emplace_back()));
        break;
      case P::kOutputFieldNumber:
        RETURN_IF_ERROR(ReadValueInfo(reader.Bytes(), graph.outputs.emplace_back()));
        break;
      case P::kValueInfoFieldNumber:
        RETURN_IF_ERROR(ReadValueInfo(reader.Bytes(), graph.values.emplace_back()));
        break;
      default:
        break;
    }
  }
  return reader.status();
}

absl::Status ReadOpset(std::span<const std::byte> bytes, OpsetImports& opsets) {
  std::string_view domain;
  int64_t version = 0;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == onnx::OperatorSetIdProto::kDomainFieldNumber) domain = CanonicalDomain(reader.String());
    if (reader.field() == onnx::OperatorSetIdProto::kVersionFieldNumber) version = reader.Int();
  }
  if (opsets.size() >= kMaxDomains)
    return InvalidArgument("it imports more than {} opsets; the model is damaged", kMaxDomains);
  opsets.emplace_back(domain, version);
  return reader.status();
}

absl::Status ReadFunction(std::span<const std::byte> bytes, FunctionView& function) {
  using P = onnx::FunctionProto;
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kNameFieldNumber:
        function.name = reader.String();
        break;
      case P::kDomainFieldNumber:
        function.domain = CanonicalDomain(reader.String());
        break;
      case P::kInputFieldNumber:
        function.inputs.push_back(reader.String());
        break;
      case P::kOutputFieldNumber:
        function.outputs.push_back(reader.String());
        break;
      case P::kAttributeFieldNumber:
        function.attributes.push_back(reader.String());
        break;
      case P::kAttributeProtoFieldNumber:
        RETURN_IF_ERROR(ReadAttribute(reader.Bytes(), 1, function.attribute_defaults.emplace_back()));
        break;
      case P::kNodeFieldNumber:
        RETURN_IF_ERROR(ReadNode(reader.Bytes(), 1, function.nodes.emplace_back()));
        break;
      case P::kOpsetImportFieldNumber:
        RETURN_IF_ERROR(ReadOpset(reader.Bytes(), function.opsets));
        break;
      default:
        break;
    }
  }
  return reader.status();
}

}  // namespace

absl::StatusOr<TensorView> ReadTensorView(std::span<const std::byte> message) {
  TensorView tensor;
  RETURN_IF_ERROR(ReadTensor(message, tensor));
  return tensor;
}

absl::StatusOr<ModelView> ReadModelView(std::span<const std::byte> file) {
  using P = onnx::ModelProto;
  ModelView model;
  WireReader reader(file);
  while (reader.Next()) {
    switch (reader.field()) {
      case P::kIrVersionFieldNumber:
        model.ir_version = reader.Int();
        break;
      case P::kProducerNameFieldNumber:
        model.producer_name = reader.String();
        break;
      case P::kProducerVersionFieldNumber:
        model.producer_version = reader.String();
        break;
      case P::kOpsetImportFieldNumber:
        RETURN_IF_ERROR(ReadOpset(reader.Bytes(), model.opsets));
        break;
      case P::kGraphFieldNumber:
        model.has_graph = true;
        RETURN_IF_ERROR(ReadGraph(reader.Bytes(), 0, model.graph));
        break;
      case P::kFunctionsFieldNumber:
        RETURN_IF_ERROR(ReadFunction(reader.Bytes(), model.functions.emplace_back()));
        break;
      default:
        break;
    }
  }
  RETURN_IF_ERROR(reader.status());
  if (!model.has_graph) {
    return DataLoss("not a readable ONNX model: it holds no graph; the file is empty, truncated or of another format");
  }
  return model;
}

}  // namespace slipway::onnx_import
