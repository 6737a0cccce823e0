// An ONNX model as it lies in its file: every name and payload is a view into the mapped bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway::onnx_import {

struct GraphView;

struct TensorView {
  std::string_view name;
  std::vector<int64_t> dims;
  int32_t data_type = 0;  // TensorProto.DataType
  bool segmented = false;
  bool external = false;
  std::map<std::string_view, std::string_view> external_data;  // location, offset, length
  std::optional<std::span<const std::byte>> raw;
  std::vector<std::span<const std::byte>> fixed;  // float_data / double_data: little-endian pieces in order
  std::vector<int64_t> varints;                   // int32_data / int64_data / uint64_data
  std::vector<std::string_view> strings;
};

struct SparseTensorView {
  TensorView values;
  TensorView indices;
  std::vector<int64_t> dims;
};

struct AttributeView {
  std::string_view name;
  int64_t type = 0;            // AttributeProto.AttributeType; 0 in very old files: by what is there
  std::string_view reference;  // ref_attr_name: inside functions
  std::optional<int64_t> i;
  std::optional<float> f;
  std::optional<std::string_view> s;
  std::vector<int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string_view> strings;
  std::shared_ptr<TensorView> t;
  std::shared_ptr<SparseTensorView> sparse;
  std::shared_ptr<GraphView> g;
};

struct NodeView {
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::string_view name;
  std::string_view op_type;
  std::string_view domain;
  std::vector<AttributeView> attributes;
  bool is_cut_off = false;  // no output needs it, an input made by --cut-inputs was computed by it
};

struct DimView {
  std::optional<int64_t> value;
  std::string_view parameter;
};

struct ValueInfoView {
  std::string_view name;
  bool is_tensor = false;  // else a sequence, map, optional, or no type at all
  bool has_type = false;
  int32_t element_type = 0;  // TensorProto.DataType
  bool has_shape = false;
  std::vector<DimView> shape;
};

struct GraphView {
  std::string_view name;
  std::vector<NodeView> nodes;
  std::vector<TensorView> initializers;
  std::vector<SparseTensorView> sparse_initializers;
  std::vector<ValueInfoView> inputs;
  std::vector<ValueInfoView> outputs;
  std::vector<ValueInfoView> values;  // value_info: what the file says of inner values
};

using OpsetImports = std::vector<std::pair<std::string_view, int64_t>>;  // domain ("" for "ai.onnx") → version

struct FunctionView {
  std::string_view domain;
  std::string_view name;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<std::string_view> attributes;
  std::vector<AttributeView> attribute_defaults;
  std::vector<NodeView> nodes;
  OpsetImports opsets;
};

struct ModelView {
  int64_t ir_version = 0;
  std::string_view producer_name;
  std::string_view producer_version;
  OpsetImports opsets;
  bool has_graph = false;
  GraphView graph;
  std::vector<FunctionView> functions;
};

// Walks the whole file. DATA_LOSS: truncated or no ONNX model; INVALID_ARGUMENT: graphs nested more than 64 deep.
absl::StatusOr<ModelView> ReadModelView(std::span<const std::byte> file);
// One TensorProto, as test data is stored (input_0.pb).
absl::StatusOr<TensorView> ReadTensorView(std::span<const std::byte> message);

}  // namespace slipway::onnx_import
