#include "convert/onnx_form/onnx_form.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <set>

#include "common/base/error.h"
#include "common/base/output_file.h"
#include "convert/onnx_form/form.h"

namespace slipway {
namespace {

using google::protobuf::io::CodedOutputStream;
constexpr uint64_t kMaxMessageBytes = (uint64_t{1} << 31) - 1;  // protobuf's own limit
constexpr uint64_t kExternalAlignment = 64;

// The IR version that came with each opset (onnx/docs/Versioning.md); before 4, initializers had to be graph inputs.
int64_t IrVersionOf(int opset) {
  constexpr std::array<std::pair<int, int64_t>, 10> kFirst = {
      {{25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}, {1, 4}}};
  return std::find_if(kFirst.begin(), kFirst.end(), [&](const auto& row) { return opset >= row.first; })->second;
}

void AppendVarint(std::string& out, uint64_t value) {
  std::array<uint8_t, 10> buffer;
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, buffer.data());
  out.append(reinterpret_cast<const char*>(buffer.data()), end - buffer.data());
}

// Tag and length of a length-delimited field.
void AppendField(std::string& out, int field, uint64_t length) {
  AppendVarint(out, static_cast<uint64_t>(field) << 3 | 2);
  AppendVarint(out, length);
}

std::string Serialized(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// A constant of the graph's message: what stands before its bytes, and the bytes.
struct Streamed {
  std::string head;  // "initializer" tag, length, TensorProto without data, "raw_data" tag, length
  std::span<const std::byte> data;
};

Streamed MakeStreamed(const Value& value) {
  onnx::TensorProto header;
  onnx_form::FillTensorHeader(*value.constant, value.name, header);
  std::string inner = Serialized(header);
  AppendField(inner, onnx::TensorProto::kRawDataFieldNumber, value.constant->bytes().size());
  Streamed streamed{{}, value.constant->bytes()};
  AppendField(streamed.head, onnx::GraphProto::kInitializerFieldNumber, inner.size() + streamed.data.size());
  streamed.head += inner;
  return streamed;
}

void AddEntry(onnx::TensorProto& tensor, std::string_view key, std::string value) {
  onnx::StringStringEntryProto& entry = *tensor.add_external_data();
  entry.set_key(std::string(key));
  entry.set_value(std::move(value));
}

absl::Status WriteExternal(const std::vector<const Value*>& large, const OnnxFormOptions& options,
                           onnx::GraphProto& proto) {
  static constexpr std::array<std::byte, kExternalAlignment> kZeros{};
  uint64_t at = 0;
  for (const Value* value : large) {
    const auto data = value->constant->bytes();
    const uint64_t gap = (kExternalAlignment - at % kExternalAlignment) % kExternalAlignment;
    RETURN_IF_ERROR(options.external_sink(std::span(kZeros).first(gap)));
    RETURN_IF_ERROR(options.external_sink(data));
    onnx::TensorProto& tensor = *proto.add_initializer();
    onnx_form::FillTensorHeader(*value->constant, value->name, tensor);
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    AddEntry(tensor, "location", options.external_file);
    AddEntry(tensor, "offset", std::to_string(at + gap));
    AddEntry(tensor, "length", std::to_string(data.size()));
    at += gap + data.size();
  }
  return absl::OkStatus();
}

void CollectNames(const Graph& graph, std::set<std::string>& names) {
  for (const Value* value : graph.values()) names.insert(value->name);
  for (const auto& node : graph.nodes()) {
    for (const auto& [name, attribute] : node->attributes.all()) {
      if (const auto* inner = std::get_if<std::shared_ptr<Graph>>(&attribute)) CollectNames(**inner, names);
    }
  }
}

std::span<const std::byte> AsBytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace

absl::StatusOr<OnnxFormInfo> WriteOnnx(const Graph& graph, const OnnxFormOptions& options, const ByteSink& sink) {
  OnnxFormInfo info;
  info.opset = std::clamp(options.opset, kMinOpset, kMaxOpset);
  for (const auto& node : graph.nodes()) {
    RETURN_IF_ERROR(CheckOnnxForm(*node));
    info.opset = std::max(info.opset, onnx_form::NeededOpset(*node));
  }
  info.ir_version = IrVersionOf(info.opset);

  onnx::ModelProto model;
  model.set_ir_version(info.ir_version);
  model.set_producer_name("slipway");
  model.add_opset_import()->set_version(info.opset);
  const std::string model_bytes = Serialized(model);

  onnx::GraphProto proto;
  std::set<std::string> names;
  CollectNames(graph, names);
  onnx_form::GraphForm form(proto, names, info.opset);
  std::vector<const Value*> large;
  RETURN_IF_ERROR(onnx_form::WriteGraph(graph, form, options.extra_outputs, &large));
  if (!options.external_file.empty()) {
    RETURN_IF_ERROR(WriteExternal(large, options, proto));
    large.clear();
  }
  const std::string graph_bytes = Serialized(proto);
  std::vector<Streamed> streamed;
  uint64_t graph_size = graph_bytes.size();
  for (const Value* value : large) {
    streamed.push_back(MakeStreamed(*value));
    graph_size += streamed.back().head.size() + streamed.back().data.size();
  }
  if (graph_size + model_bytes.size() + 16 > kMaxMessageBytes) {
    return ResourceExhausted(
        "the model is {} bytes, but one ONNX file holds at most 2 GiB; its weights must go to an external data file",
        graph_size);
  }
  std::string head = model_bytes;
  AppendField(head, onnx::ModelProto::kGraphFieldNumber, graph_size);
  RETURN_IF_ERROR(sink(AsBytes(head)));
  RETURN_IF_ERROR(sink(AsBytes(graph_bytes)));
  for (const Streamed& each : streamed) {
    RETURN_IF_ERROR(sink(AsBytes(each.head)));
    RETURN_IF_ERROR(sink(each.data));
  }
  return info;
}

absl::StatusOr<OnnxFormInfo> WriteOnnxFile(const Graph& graph, const OnnxFormOptions& options,
                                           const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  ASSIGN_OR_RETURN(const OnnxFormInfo info,
                   WriteOnnx(graph, options, [&](std::span<const std::byte> bytes) { return file.Write(bytes); }));
  RETURN_IF_ERROR(file.Close());
  return info;
}

absl::StatusOr<std::string> OnnxBytes(const Graph& graph, const OnnxFormOptions& options) {
  std::string bytes;
  const auto append = [&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(WriteOnnx(graph, options, append).status());
  return bytes;
}

}  // namespace slipway
