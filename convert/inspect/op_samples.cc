#include "convert/inspect/op_samples.h"

#include <algorithm>
#include <charconv>

#include "common/base/error.h"
#include "convert/onnx_form/onnx.pb.h"

namespace slipway::inspect {
namespace {

constexpr OpSample kSamples[] = {
    {"And", "", "b[1,4] b[1,4]"},
    {"ArgMax", "", "f[1,4,8,8]", "axis=1"},
    {"ArgMin", "", "f[1,4,8,8]", "axis=1"},
    {"AveragePool", "2-D", "f[1,4,8,8]", "kernel_shape=2,2 strides=2,2"},
    {"AveragePool", "1-D", "f[1,4,8]", "kernel_shape=2, strides=2,"},
    {"AveragePool", "3-D", "f[1,4,8,8,8]", "kernel_shape=2,2,2 strides=2,2,2"},
    {"AveragePool", "ceil_mode", "f[1,4,9,9]", "kernel_shape=2,2 strides=2,2 ceil_mode=1"},
    {"AveragePool", "padded", "f[1,4,8,8]", "kernel_shape=3,3 pads=1,1,1,1"},
    {"AveragePool", "count_include_pad", "f[1,4,8,8]", "kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1"},
    {"BatchNormalization", "", "f[1,4,8,8] F[4] F[4] F[4] F[4]"},
    {"BitShift", "", "u[4] u[4]", "direction=LEFT"},
    {"BitwiseAnd", "", "n[4] n[4]"},
    {"BitwiseNot", "", "n[4]"},
    {"BitwiseOr", "", "n[4] n[4]"},
    {"BitwiseXor", "", "n[4] n[4]"},
    {"Cast", "float32 to int32", "f[1,4]", "to=6"},
    {"Cast", "float32 to bool", "f[1,4]", "to=9"},
    {"Cast", "int64 to float32", "i[1,4]", "to=1"},
    {"Cast", "bool to float32", "b[1,4]", "to=1"},
    {"Cast", "float16 to float32", "h[1,4]", "to=1"},
    {"CastLike", "", "n[1,4] f[1,4]"},
    {"CenterCropPad", "", "f[1,4,8,8] I{4,10}", "axes=2,3"},
    {"Clip", "constant bounds", "f[1,4,8,8] L+{0} L+{6}"},
    {"Clip", "one bound", "f[1,4,8,8] L+{0}"},
    {"Clip", "computed bounds", "f[1,4,8,8] f[] f[]"},
    {"Col2Im", "", "f[1,12,12] I{7,6} I{2,3}", "strides=2,1 dilations=2,1"},
    {"Compress", "", "f[4,8] B{1,0,1,0}", "axis=0"},
    {"Concat", "", "f[1,4,8,8] f[1,2,8,8]", "axis=1"},
    {"ConstantOfShape", "", "i[2]"},
    {"Conv", "2-D", "f[1,4,8,8] F[6,4,3,3] F[6]", "pads=1,1,1,1"},
    {"Conv", "1-D", "f[1,4,8] F[6,4,3] F[6]"},
    {"Conv", "3-D", "f[1,4,8,8,8] F[6,4,3,3,3] F[6]"},
    {"Conv", "grouped", "f[1,4,8,8] F[6,2,3,3] F[6]", "group=2"},
    {"Conv", "depthwise", "f[1,4,8,8] F[4,1,3,3] F[4]", "group=4"},
    {"Conv", "dilated", "f[1,4,8,8] F[6,4,3,3]", "dilations=2,2"},
    {"Conv", "strided, uneven pads", "f[1,4,9,9] F[6,4,3,3]", "pads=0,1,2,1 strides=2,2"},
    {"Conv", "computed weights", "f[1,4,8,8] f[6,4,3,3]"},
    {"ConvTranspose", "2-D", "f[1,4,8,8] F[4,6,2,2]", "strides=2,2"},
    {"ConvTranspose", "1-D", "f[1,4,8] F[4,6,2]", "strides=2,"},
    {"ConvTranspose", "3-D", "f[1,4,4,4,4] F[4,6,2,2,2]", "strides=2,2,2"},
    {"ConvTranspose", "grouped", "f[1,4,8,8] F[4,3,2,2]", "strides=2,2 group=2"},
    {"ConvTranspose", "output_padding", "f[1,4,8,8] F[4,6,3,3]", "strides=2,2 pads=1,1,1,1 output_padding=1,1"},
    {"CumSum", "", "f[1,4,8] I+{1}"},
    {"DepthToSpace", "DCR", "f[1,8,4,4]", "blocksize=2"},
    {"DepthToSpace", "CRD", "f[1,8,4,4]", "blocksize=2 mode=CRD"},
    {"DequantizeLinear", "", "u[1,4,8,8] L+{0.5} U+{3}"},
    {"Dropout", "", "f[1,4,8,8]"},
    {"Einsum", "matrix product", "f[3,4] f[4,5]", "equation=ij,jk->ik"},
    {"Einsum", "batched", "f[2,3,4] f[2,4,5]", "equation=bij,bjk->bik"},
    {"Einsum", "two axes summed", "f[2,3,4] F[3,4,5]", "equation=bij,ijk->bk"},
    {"Expand", "", "f[1,4,1,1] I{1,4,8,8}"},
    {"EyeLike", "", "f[N,4]"},
    {"Flatten", "", "f[1,4,8,8]", "axis=1"},
    {"GRU", "forward", "f[5,1,4] F[1,9,4] F[1,9,3] F[1,18]", "hidden_size=3 linear_before_reset=1", 2},
    {"GRU", "open number of steps", "f[T,1,4] F[1,9,4] F[1,9,3] F[1,18]", "hidden_size=3 linear_before_reset=1", 2},
    {"GRU", "bidirectional", "f[5,1,4] F[2,9,4] F[2,9,3] F[2,18]",
     "hidden_size=3 direction=bidirectional linear_before_reset=1", 2},
    {"Gather", "constant index", "f[1,4,8,8] I+{1}", "axis=1"},
    {"Gather", "embedding", "F[16,8] i[1,5]"},
    {"Gather", "computed indices", "f[4,8] i[3]"},
    {"GatherElements", "constant indices", "f[4,8] J[2,8]", "axis=0"},
    {"GatherElements", "computed indices", "f[4,8] i[2,8]", "axis=0"},
    {"GatherND", "constant indices", "f[4,8] J[3,1]"},
    {"GatherND", "computed indices", "f[4,8] i[3,1]"},
    {"Gelu", "", "f[1,4,8,8]", "", 1, 20},
    {"Gemm", "constant weights", "f[1,8] F[5,8] F[5]", "transB=1"},
    {"Gemm", "scaled", "f[1,8] F[8,5] F[5]", "alpha=0.5 beta=2.0"},
    {"Gemm", "computed weights", "f[2,8] f[8,5]"},
    {"GlobalLpPool", "", "f[1,4,8,8]"},
    {"GridSample", "bilinear", "f[1,4,8,8] f[1,6,6,2]", "mode=linear"},
    {"GridSample", "nearest", "f[1,4,8,8] f[1,6,6,2]", "mode=nearest"},
    {"GridSample", "bicubic", "f[1,4,8,8] f[1,6,6,2]", "mode=cubic"},
    {"GridSample", "reflection", "f[1,4,8,8] f[1,6,6,2]", "mode=linear padding_mode=reflection"},
    {"GroupNormalization", "", "f[1,4,8,8] F[4] F[4]", "num_groups=2", 1, 21},
    {"HardSwish", "", "f[1,4,8,8]"},
    {"Hardmax", "", "f[1,8]"},
    {"If", "", "b[] f[1,4]", "then_branch=@relu else_branch=@abs"},
    {"InstanceNormalization", "2-D", "f[1,4,8,8] F[4] F[4]"},
    {"InstanceNormalization", "1-D", "f[1,4,8] F[4] F[4]"},
    {"LRN", "", "f[1,8,8,8]", "size=5"},
    {"LSTM", "forward", "f[5,1,4] F[1,12,4] F[1,12,3] F[1,24]", "hidden_size=3", 3},
    {"LSTM", "open number of steps", "f[T,1,4] F[1,12,4] F[1,12,3] F[1,24]", "hidden_size=3", 3},
    {"LSTM", "bidirectional", "f[5,1,4] F[2,12,4] F[2,12,3] F[2,24]", "hidden_size=3 direction=bidirectional", 3},
    {"LayerNormalization", "last axis", "f[1,5,8] F[8] F[8]", "axis=-1"},
    {"LayerNormalization", "several axes", "f[1,4,8,8] F[4,8,8] F[4,8,8]", "axis=1"},
    {"Loop", "fixed count", "I+{3} - f[1,4]", "body=@loop", 1},
    {"Loop", "computed count", "i[] - f[1,4]", "body=@loop", 1},
    {"LpPool", "", "f[1,4,8,8]", "kernel_shape=2,2"},
    {"MatMul", "constant weights", "f[1,5,8] F[8,6]"},
    {"MatMul", "batched", "f[1,2,5,8] f[1,2,8,6]"},
    {"MatMul", "vectors", "f[8] F[8,6]"},
    {"Mean", "", "f[1,4] f[1,4] f[1,4]"},
    {"MaxPool", "2-D", "f[1,4,8,8]", "kernel_shape=2,2 strides=2,2"},
    {"MaxPool", "1-D", "f[1,4,8]", "kernel_shape=2, strides=2,"},
    {"MaxPool", "3-D", "f[1,4,8,8,8]", "kernel_shape=2,2,2 strides=2,2,2"},
    {"MaxPool", "ceil_mode", "f[1,4,9,9]", "kernel_shape=2,2 strides=2,2 ceil_mode=1"},
    {"MaxPool", "padded", "f[1,4,8,8]", "kernel_shape=3,3 pads=1,1,1,1 strides=2,2"},
    {"MaxPool", "dilated", "f[1,4,8,8]", "kernel_shape=2,2 dilations=2,2"},
    {"MaxPool", "with indices", "f[1,4,8,8]", "kernel_shape=2,2 strides=2,2", 2},
    {"Mod", "int32", "n[4] n[4]"},
    {"Mod", "float32", "f[4] f[4]", "fmod=1"},
    {"NonMaxSuppression", "", "f[1,20,4] f[1,3,20] I+{5} L+{0.5} L+{0.1}"},
    {"NonZero", "", "f[4,8]"},
    {"Not", "", "b[1,4]"},
    {"OneHot", "", "i[3] I+{5} L{0,1}"},
    {"Or", "", "b[1,4] b[1,4]"},
    {"PRelu", "a channel", "f[1,4,8,8] F[4,1,1]"},
    {"PRelu", "one slope", "f[1,4,8,8] F[1]"},
    {"Pad", "constant", "f[1,4,8,8] I{0,0,1,1,0,0,2,2}"},
    {"Pad", "reflect", "f[1,4,8,8] I{0,0,1,1,0,0,1,1}", "mode=reflect"},
    {"Pad", "edge", "f[1,4,8,8] I{0,0,1,1,0,0,1,1}", "mode=edge"},
    {"Pad", "wrap", "f[1,4,8,8] I{0,0,1,1,0,0,1,1}", "mode=wrap", 1, 19},
    {"Pad", "negative", "f[1,4,8,8] I{0,0,-1,-1,0,0,-1,-1}"},
    {"Pow", "constant exponent", "f[1,4,8,8] L+{2}"},
    {"Pow", "computed exponent", "f[1,4] f[1,4]"},
    {"QuantizeLinear", "", "f[1,4,8,8] L+{0.5} U+{3}"},
    {"RMSNormalization", "", "f[1,5,8] F[8]", "axis=-1", 1, 23},
    {"RNN", "forward", "f[5,1,4] F[1,3,4] F[1,3,3] F[1,6]", "hidden_size=3", 2},
    {"RNN", "bidirectional", "f[5,1,4] F[2,3,4] F[2,3,3] F[2,6]", "hidden_size=3 direction=bidirectional", 2},
    {"Range", "", "i[] i[] i[]"},
    {"Reshape", "", "f[1,4,8,8] I{1,4,-1}"},
    {"Reshape", "dynamic batch", "f[N,4,2,2] I{0,-1}"},
    {"Resize", "nearest", "f[1,4,8,8] - L{1,1,2,2}", "mode=nearest"},
    {"Resize", "nearest, pytorch", "f[1,4,8,8] - L{1,1,2,2}",
     "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor"},
    {"Resize", "linear, half_pixel", "f[1,4,8,8] - L{1,1,2,2}", "mode=linear"},
    {"Resize", "linear, align_corners", "f[1,4,8,8] - - I{1,4,15,15}",
     "mode=linear coordinate_transformation_mode=align_corners"},
    {"Resize", "cubic", "f[1,4,8,8] - L{1,1,2,2}", "mode=cubic cubic_coeff_a=-0.75"},
    {"Resize", "antialias", "f[1,4,8,8] - L{1,1,0.5,0.5}", "mode=linear antialias=1"},
    {"ReverseSequence", "", "f[5,2,4] I{3,5}"},
    {"Scan", "", "f[1,4] f[5,1,4]", "body=@scan num_scan_inputs=1", 2},
    {"Scatter", "", "f[4,8] i[2,8] f[2,8]", "axis=0", 1, 10},
    {"ScatterElements", "constant indices", "f[4,8] J[2,8] f[2,8]", "axis=1"},
    {"ScatterElements", "computed indices", "f[4,8] i[2,8] f[2,8]", "axis=0"},
    {"ScatterElements", "add", "f[4,8] i[2,8] f[2,8]", "axis=0 reduction=add"},
    {"ScatterND", "constant indices", "f[4,8] J[2,1] f[2,8]"},
    {"ScatterND", "computed indices", "f[4,8] i[3,1] f[3,8]"},
    {"Shape", "", "f[N,4,8]"},
    {"Size", "", "f[N,4,8]"},
    {"Slice", "", "f[1,4,8,8] I{1,1} I{7,7} I{2,3}"},
    {"Slice", "strided", "f[1,4,8,8] I{0,0} I{8,8} I{2,3} I{2,2}"},
    {"Slice", "reversed", "f[1,4,8,8] I{-1} I{-9} I{3} I{-1}"},
    {"Slice", "computed bounds", "f[4,8] i[1] i[1] I{0}"},
    {"Softmax", "last axis", "f[1,5,8]", "axis=-1"},
    {"Softmax", "channels", "f[1,4,8,8]", "axis=1"},
    {"SpaceToDepth", "", "f[1,4,8,8]", "blocksize=2"},
    {"Split", "equal", "f[1,4,8,8]", "axis=1 num_outputs=2", 2},
    {"Split", "uneven", "f[1,4,8,8] I{1,3}", "axis=1", 2},
    {"Squeeze", "", "f[1,4,1,1] I{2,3}"},
    {"Sum", "", "f[1,4] f[1,4] f[1,4]"},
    {"Swish", "", "f[1,4,8,8]", "", 1, 24},
    {"Tile", "", "f[1,4,8,8] I{1,1,2,2}"},
    {"TopK", "", "f[1,16] I{5}", "", 2},
    {"Transpose", "rank 4", "f[1,4,8,8]", "perm=0,2,3,1"},
    {"Transpose", "rank 6", "f[1,2,3,2,3,2]", "perm=0,1,4,2,5,3"},
    {"Trilu", "", "f[4,4]"},
    {"Unsqueeze", "", "f[1,4] I{2,3}"},
    {"Upsample", "", "f[1,4,8,8] L{1,1,2,2}", "mode=nearest", 1, 9},
    {"Where", "", "b[1,4] f[1,4] f[1,4]"},
    {"Xor", "", "b[1,4] b[1,4]"},
};

// For what has no sample of its own: the first group of which something can be imported.
struct Group {
  std::vector<OpSample> samples;
};
const std::vector<Group>& Groups() {
  static const auto* const groups = new std::vector<Group>{
      {{{"", "float32", "f[1,4,8,8] f[1,4,8,8]"},
        {"", "broadcast", "f[1,4,8,8] f[4,1,1]"},
        {"", "constant", "f[1,4,8,8] F[4,1,1]"},
        {"", "rank 5", "f[1,2,4,4,4] f[1,2,4,4,4]"},
        {"", "int64", "i[1,4] i[1,4]"}}},
      {{{"", "", "b[1,4] b[1,4]"}}},
      {{{"", "", "f[1,4,8,8]"}}},
      {{{"", "", "b[1,4]"}}},
  };
  return *groups;
}

void SetType(onnx::ValueInfoProto& info, std::string_view name, int type) {
  info.set_name(std::string(name));
  info.mutable_type()->mutable_tensor_type()->set_elem_type(type);
}

onnx::NodeProto& AddNode(onnx::GraphProto& graph, const char* op, const std::vector<const char*>& inputs,
                         const char* output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  for (const char* input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

// The graphs of control flow: branches of `x1`, a body that carries a value, one that scans.
bool FillGraph(std::string_view name, onnx::GraphProto& graph) {
  using onnx::TensorProto;
  graph.set_name(std::string(name));
  if (name == "relu" || name == "abs") {
    AddNode(graph, name == "relu" ? "Relu" : "Abs", {"x1"}, "chosen");
    SetType(*graph.add_output(), "chosen", TensorProto::FLOAT);
    return true;
  }
  if (name == "loop") {
    SetType(*graph.add_input(), "turn", TensorProto::INT64);
    SetType(*graph.add_input(), "go", TensorProto::BOOL);
    SetType(*graph.add_input(), "carried", TensorProto::FLOAT);
    AddNode(graph, "Identity", {"go"}, "go_on");
    AddNode(graph, "Mul", {"carried", "carried"}, "next");
    SetType(*graph.add_output(), "go_on", TensorProto::BOOL);
    SetType(*graph.add_output(), "next", TensorProto::FLOAT);
    for (auto* values : {graph.mutable_input(), graph.mutable_output()}) {
      for (onnx::ValueInfoProto& value : *values) {
        onnx::TensorShapeProto& shape = *value.mutable_type()->mutable_tensor_type()->mutable_shape();
        if (value.type().tensor_type().elem_type() != TensorProto::FLOAT) continue;
        shape.add_dim()->set_dim_value(1);
        shape.add_dim()->set_dim_value(4);
      }
    }
    return true;
  }
  if (name == "scan") {
    SetType(*graph.add_input(), "state", TensorProto::FLOAT);
    SetType(*graph.add_input(), "slice", TensorProto::FLOAT);
    AddNode(graph, "Add", {"state", "slice"}, "sum");
    AddNode(graph, "Identity", {"sum"}, "kept");
    SetType(*graph.add_output(), "sum", TensorProto::FLOAT);
    SetType(*graph.add_output(), "kept", TensorProto::FLOAT);
    return true;
  }
  return false;
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t end = text.find(at);
    if (end != 0) pieces.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return pieces;
}

template <typename T>
bool Parse(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

struct Letter {
  char letter;
  int type;
  bool constant;
};
constexpr Letter kLetters[] = {
    {'J', onnx::TensorProto::INT64, true},    {'f', onnx::TensorProto::FLOAT, false},
    {'h', onnx::TensorProto::FLOAT16, false}, {'i', onnx::TensorProto::INT64, false},
    {'c', onnx::TensorProto::INT8, false},    {'s', onnx::TensorProto::INT16, false},
    {'d', onnx::TensorProto::DOUBLE, false},  {'n', onnx::TensorProto::INT32, false},
    {'u', onnx::TensorProto::UINT8, false},   {'b', onnx::TensorProto::BOOL, false},
    {'F', onnx::TensorProto::FLOAT, true},    {'I', onnx::TensorProto::INT64, true},
    {'L', onnx::TensorProto::FLOAT, true},    {'B', onnx::TensorProto::BOOL, true},
    {'U', onnx::TensorProto::UINT8, true},
};

// Small, of both signs, none twice in a row.
float WeightAt(int64_t index) { return static_cast<float>((index * 7) % 11 - 5) / 8 + 0.01f; }

bool AddInput(std::string_view token, const std::string& name, onnx::GraphProto& graph) {
  const auto* letter = std::find_if(std::begin(kLetters), std::end(kLetters),
                                    [&](const Letter& row) { return row.letter == token.front(); });
  if (letter == std::end(kLetters) || token.size() < 3) return false;
  const bool scalar = token[1] == '+';
  const std::string_view inside = token.substr(scalar ? 3 : 2, token.size() - (scalar ? 4 : 3));
  const std::vector<std::string_view> pieces = Split(inside, ',');
  if (!letter->constant) {
    onnx::ValueInfoProto& info = *graph.add_input();
    SetType(info, name, letter->type);
    onnx::TensorShapeProto& shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (const std::string_view piece : pieces) {
      int64_t size = 0;
      if (Parse(piece, size)) {
        shape.add_dim()->set_dim_value(size);
      } else {
        shape.add_dim()->set_dim_param(std::string(piece));
      }
    }
    return true;
  }
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(letter->type);
  if (letter->letter == 'F' || letter->letter == 'J') {
    int64_t count = 1;
    for (const std::string_view piece : pieces) {
      int64_t size = 0;
      if (!Parse(piece, size)) return false;
      tensor.add_dims(size);
      count *= size;
    }
    for (int64_t i = 0; i < count; ++i) {
      if (letter->letter == 'F') {
        tensor.add_float_data(WeightAt(i));
      } else {
        tensor.add_int64_data(i % 2);
      }
    }
    return true;
  }
  if (!scalar) tensor.add_dims(static_cast<int64_t>(pieces.size()));
  for (const std::string_view piece : pieces) {
    double value = 0;
    if (!Parse(piece, value)) return false;
    if (letter->type == onnx::TensorProto::FLOAT) {
      tensor.add_float_data(static_cast<float>(value));
    } else if (letter->type == onnx::TensorProto::INT64) {
      tensor.add_int64_data(static_cast<int64_t>(value));
    } else {
      tensor.add_int32_data(static_cast<int32_t>(value));
    }
  }
  return true;
}

bool AddAttribute(std::string_view token, onnx::NodeProto& node) {
  const size_t equals = token.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view value = token.substr(equals + 1);
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(std::string(token.substr(0, equals)));
  int64_t whole = 0;
  double number = 0;
  if (value.starts_with('@')) {
    attribute.set_type(onnx::AttributeProto::GRAPH);
    return FillGraph(value.substr(1), *attribute.mutable_g());
  }
  if (Parse(value, whole)) {
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(whole);
    return true;
  }
  if (Parse(value, number)) {
    attribute.set_type(onnx::AttributeProto::FLOAT);
    attribute.set_f(static_cast<float>(number));
    return true;
  }
  std::vector<int64_t> ints;
  for (const std::string_view piece : Split(value, ',')) {
    if (!Parse(piece, whole)) break;
    ints.push_back(whole);
  }
  if (value.find(',') != std::string_view::npos && ints.size() == Split(value, ',').size()) {
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const int64_t one : ints) attribute.add_ints(one);
    return true;
  }
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(std::string(value));
  return true;
}

}  // namespace

std::span<const OpSample> OpSamples() { return kSamples; }

std::vector<std::vector<OpSample>> GenericSamples(std::string_view op) {
  std::vector<std::vector<OpSample>> groups;
  if (op.starts_with("Reduce")) {
    groups.push_back({{op, "all axes", "f[1,4,8,8]", "keepdims=0"},
                      {op, "height and width", "f[1,4,8,8] I{2,3}"},
                      {op, "channels", "f[1,4,8,8] I{1}"}});
  }
  for (const Group& group : Groups()) {
    groups.push_back(group.samples);
    for (OpSample& sample : groups.back()) sample.op = op;
  }
  return groups;
}

absl::StatusOr<std::string> SampleModel(const OpSample& sample) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(sample.opset);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("sample");
  onnx::NodeProto& node = *graph.add_node();
  const size_t colons = sample.op.find("::");
  node.set_op_type(std::string(colons == std::string_view::npos ? sample.op : sample.op.substr(colons + 2)));
  if (colons != std::string_view::npos) {
    node.set_domain(std::string(sample.op.substr(0, colons)));
    onnx::OperatorSetIdProto& own = *model.add_opset_import();
    own.set_domain(node.domain());
    own.set_version(1);
  }
  node.set_name("sample");
  int count = 0;
  for (const std::string_view token : Split(sample.inputs, ' ')) {
    const std::string name = token == "-" ? "" : fmt::format("x{}", count);
    ++count;
    // A branch reads what stands around it.
    const bool around = sample.op == "If" && count == 2;
    if (!around) node.add_input(name);
    if (!name.empty() && !AddInput(token, name, graph))
      return InvalidArgument("sample of {}: '{}' is no input", sample.op, token);
  }
  for (const std::string_view token : Split(sample.attributes, ' ')) {
    if (!AddAttribute(token, node)) return InvalidArgument("sample of {}: '{}' is no attribute", sample.op, token);
  }
  for (int i = 0; i < sample.outputs; ++i) {
    const std::string name = fmt::format("y{}", i);
    node.add_output(name);
    graph.add_output()->set_name(name);
  }
  return model.SerializeAsString();
}

}  // namespace slipway::inspect
