// The judge hosts through their C++ side: tensors of every type, bad models, a host that is killed, both TFLite kernels.
#include "tests/parity/hosts.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "convert/runtimes/onnx_outputs.h"

namespace slipway {
namespace {

constexpr const char* kConvModel = R"(
import numpy, onnx
from onnx import helper as h, numpy_helper
w = numpy.arange(54, dtype=numpy.float32).reshape(2, 3, 3, 3) / 54
g = h.make_graph([h.make_node('Conv', ['x', 'w'], ['inner'], pads=[1, 1, 1, 1]), h.make_node('Relu', ['inner'], ['y'])], 'g',
                 [h.make_tensor_value_info('x', 1, [1, 3, 'H', 'W'])], [h.make_tensor_value_info('y', 1, None)],
                 [numpy_helper.from_array(w, 'w')])
onnx.save(h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8), 'conv.onnx')
)";

TEST_F(HostsTest, TensorsOfEveryTypeComeBackAsTheyWent) {
  RunPython(R"(
import onnx
from onnx import helper as h, TensorProto as T
kinds = [T.FLOAT, T.FLOAT16, T.DOUBLE, T.INT8, T.INT16, T.INT32, T.INT64, T.UINT8, T.UINT16, T.UINT32, T.UINT64, T.BOOL]
nodes = [h.make_node('Identity', [f'x{k}'], [f'y{k}']) for k in range(len(kinds))]
g = h.make_graph(nodes, 'g', [h.make_tensor_value_info(f'x{k}', t, ['A', 'B']) for k, t in enumerate(kinds)],
                 [h.make_tensor_value_info(f'y{k}', t, ['A', 'B']) for k, t in enumerate(kinds)])
onnx.save(h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8), 'types.onnx')
)");
  auto session = LoadArtifact(*hosts_, "onnx", "default level", folder() / "types.onnx");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->identity().name, "onnxruntime");
  EXPECT_FALSE((*session)->identity().version.empty());
  EXPECT_EQ((*session)->identity().configuration, "default level");
  const DataType types[] = {DataType::kFloat32, DataType::kFloat16, DataType::kFloat64, DataType::kInt8,
                            DataType::kInt16,   DataType::kInt32,   DataType::kInt64,   DataType::kUInt8,
                            DataType::kUInt16,  DataType::kUInt32,  DataType::kUInt64,  DataType::kBool};
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2, 3}, std::vector<int64_t>{0, 3}}) {
    NamedTensors inputs;
    for (size_t i = 0; i < std::size(types); ++i) {
      auto [tensor, bytes] = Tensor::Allocate(types[i], shape);
      for (size_t k = 0; k < bytes.size(); ++k) {
        bytes[k] = static_cast<std::byte>(types[i] == DataType::kBool ? k % 2 : k * 5 + 1);
      }
      inputs.emplace_back("x" + std::to_string(i), tensor);
    }
    auto outputs = (*session)->Run(inputs, {});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ(outputs->size(), inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ((*outputs)[i].first, "y" + std::to_string(i));
      EXPECT_TRUE((*outputs)[i].second.SameBytes(inputs[i].second)) << Name(types[i]);
    }
  }
}

TEST_F(HostsTest, ABadModelIsAnErrorAndTheHostLivesOn) {
  RunPython(kConvModel);
  ASSERT_TRUE(WriteFileAtomically(folder() / "bad.onnx", "this is no model").ok());
  ASSERT_TRUE(WriteFileAtomically(folder() / "bad.tflite", "this is no model").ok());
  ASSERT_TRUE(WriteFileAtomically(folder() / "bad.param", "7767517\n1 1\nNoSuchLayer a 0 1 a\n").ok());
  ASSERT_TRUE(WriteFileAtomically(folder() / "bad.bin", "").ok());
  auto channel = hosts_->Acquire("onnxruntime");
  ASSERT_TRUE(channel.ok());
  EXPECT_EQ(LoadArtifact(*hosts_, "onnx", "default level", folder() / "bad.onnx").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadArtifact(*hosts_, "tflite", "xnnpack", folder() / "bad.tflite").status().code(),
            absl::StatusCode::kInvalidArgument);
  const absl::Status ncnn = LoadArtifact(*hosts_, "ncnn", "fp16 options off", folder() / "bad.param").status();
  EXPECT_EQ(ncnn.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(ncnn.message().find("NoSuchLayer"), absl::string_view::npos) << ncnn;

  // The same process goes on: its channel was not given up.
  auto session = LoadArtifact(*hosts_, "onnx", "default level", folder() / "conv.onnx");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(hosts_->Acquire("onnxruntime")->get(), channel->get());
  const auto wrong = (*session)->Run({{"x", Tensor::Allocate(DataType::kFloat32, {1, 4, 5, 5}).first}}, {});
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE((*session)->Run({{"x", Tensor::Allocate(DataType::kFloat32, {1, 3, 5, 5}).first}}, {}).ok());
}

TEST_F(HostsTest, InnerTensorsComeFromACopyWithMoreOutputs) {
  RunPython(kConvModel);
  const std::string before = *ReadFile(folder() / "conv.onnx");
  EXPECT_EQ(*OnnxOutputNames(std::as_bytes(std::span(before))), std::vector<std::string>{"y"});
  auto session = LoadArtifact(*hosts_, "onnx", "default level", folder() / "conv.onnx", {"inner", "y", "inner"});
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE((*session)->CanFetch());
  std::vector<float> values(75, -1.0f);
  const NamedTensors inputs = {{"x", Tensor::From<float>({1, 3, 5, 5}, values)}};
  auto own = (*session)->Run(inputs, {});
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->size(), 1u);
  auto both = (*session)->Run(inputs, {"inner", "y"});
  ASSERT_TRUE(both.ok()) << both.status();
  // The sum of the weights of the first filter, 0/54 … 26/54, with its sign, and cut off by the Relu.
  EXPECT_NEAR((*both)[0].second.At<float>(12), -26 * 27 / 2 / 54.0, 1e-5);
  EXPECT_EQ((*both)[1].second.At<float>(12), 0);
  EXPECT_EQ(*ReadFile(folder() / "conv.onnx"), before);
}

TEST_F(HostsTest, ExternalDataIsFoundBesideTheCopy) {
  RunPython(R"(
import numpy, onnx
from onnx import helper as h, numpy_helper
w = numpy.ones((4, 64), numpy.float32)
g = h.make_graph([h.make_node('MatMul', ['x', 'w'], ['inner']), h.make_node('Neg', ['inner'], ['y'])], 'g',
                 [h.make_tensor_value_info('x', 1, [1, 4])], [h.make_tensor_value_info('y', 1, None)], [numpy_helper.from_array(w, 'w')])
m = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
onnx.save(m, 'big.onnx', save_as_external_data=True, location='big.onnx.data', size_threshold=0)
)");
  auto session = LoadArtifact(*hosts_, "onnx", "default level", folder() / "big.onnx", {"inner"});
  ASSERT_TRUE(session.ok()) << session.status();
  auto outputs = (*session)->Run({{"x", Tensor::From<float>({1, 4}, {1, 2, 3, 4})}}, {"inner"});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_FLOAT_EQ((*outputs)[0].second.At<float>(63), 10);
}

// A provider whose host the test can kill.
class KillableHost final : public HostProvider {
 public:
  explicit KillableHost(std::filesystem::path scratch) : scratch_(std::move(scratch)) {}
  ~KillableHost() override { Kill(); }
  absl::StatusOr<std::shared_ptr<Channel>> Acquire(std::string_view runtime) override {
    auto ends = Channel::CreatePair();
    if (!ends.ok()) return ends.status();
    std::vector<std::string> command = HostCommand(runtime, TestPython());
    std::vector<char*> argv;
    for (std::string& argument : command) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends->second.fd(), 3);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return std::make_shared<Channel>(std::move(ends->first));
  }
  std::filesystem::path scratch() const override { return scratch_; }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }

 private:
  std::filesystem::path scratch_;
  pid_t pid_ = -1;
};

TEST_F(HostsTest, AKilledHostIsUnavailable) {
  RunPython(kConvModel);
  KillableHost host(folder());
  auto session = LoadArtifact(host, "onnx", "default level", folder() / "conv.onnx");
  ASSERT_TRUE(session.ok()) << session.status();
  const NamedTensors inputs = {{"x", Tensor::Allocate(DataType::kFloat32, {1, 3, 5, 5}).first}};
  ASSERT_TRUE((*session)->Run(inputs, {}).ok());
  host.Kill();
  EXPECT_EQ((*session)->Run(inputs, {}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ((*session)->Run(inputs, {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HostsTest, AHostEndsWithItsConnection) {
  KillableHost host(folder());
  {
    auto channel = host.Acquire("ncnn");
    ASSERT_TRUE(channel.ok());
  }
  int status = -1;
  ASSERT_EQ(waitpid(host.pid(), &status, 0), host.pid());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(HostsTest, AMissingInterpreterIsNotFound) {
  auto hosts = SpawningHosts(folder() / "no-python", folder());
  EXPECT_EQ(hosts->Acquire("onnxruntime").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(hosts_->Acquire("tensorrt").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HostsTest, AnInterpreterWithoutTheRuntimeIsNotFound) {
  RunPython(kConvModel);
  // Host scripts beside which a broken onnxruntime stands: its import fails as a missing one does.
  const std::filesystem::path scripts = folder() / "hosts";
  std::filesystem::copy(SLIPWAY_SOURCE_DIR "/convert/runtimes/hosts", scripts);
  ASSERT_TRUE(WriteFileAtomically(scripts / "onnxruntime.py", "raise ImportError('no such library')\n").ok());
  setenv("SLIPWAY_HOSTS", scripts.c_str(), 1);
  const absl::Status status = LoadArtifact(*hosts_, "onnx", "default level", folder() / "conv.onnx").status();
  unsetenv("SLIPWAY_HOSTS");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
}

// y = relu(x · wᵀ + b), written with LiteRT's own schema.
constexpr const char* kTfliteModel = R"(
import flatbuffers, numpy
from ai_edge_litert import schema_py_generated as s
def buffer(data=None):
    b = s.BufferT()
    if data is not None:
        b.data = numpy.frombuffer(data.tobytes(), numpy.uint8)
    return b
def tensor(name, shape, buffer, signature=None):
    t = s.TensorT()
    t.name, t.shape, t.buffer, t.type = name, shape, buffer, s.TensorType.FLOAT32
    t.shapeSignature = signature
    return t
def signature(name, index):
    m = s.TensorMapT()
    m.name, m.tensorIndex = name, index
    return m
w = numpy.array([[1, -1], [2, 0.5], [-3, 1]], numpy.float32)
b = numpy.array([0.5, 0, -1], numpy.float32)
def op(code, inputs, outputs, options=None, kind=0):
    o = s.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs, o.builtinOptionsType, o.builtinOptions = code, inputs, outputs, kind, options
    return o
def code(value):
    c = s.OperatorCodeT()
    c.builtinCode = c.deprecatedBuiltinCode = value
    c.version = 1
    return c
g = s.SubGraphT()
g.tensors = [tensor('in', [1, 2], 0, [-1, 2]), tensor('w', [3, 2], 1), tensor('b', [3], 2), tensor('inner', [1, 3], 0, [-1, 3]), tensor('out', [1, 3], 0, [-1, 3])]
g.inputs, g.outputs = [0], [4]
full = s.FullyConnectedOptionsT()
g.operators = [op(0, [0, 1, 2], [3], full, s.BuiltinOptions.FullyConnectedOptions), op(1, [3], [4])]
m = s.ModelT()
m.version = 3
m.operatorCodes = [code(s.BuiltinOperator.FULLY_CONNECTED), code(s.BuiltinOperator.RELU)]
m.subgraphs, m.buffers = [g], [buffer(), buffer(w), buffer(b)]
d = s.SignatureDefT()
d.signatureKey, d.subgraphIndex, d.inputs, d.outputs = 'serving_default', 0, [signature('x', 0)], [signature('y', 4)]
m.signatureDefs = [d]
builder = flatbuffers.Builder(1024)
builder.Finish(m.Pack(builder), b'TFL3')
open('model.tflite', 'wb').write(builder.Output())
)";

TEST_F(HostsTest, BothTfliteKernelsRunAnyBatchAndTheBuiltInOnesShowInnerTensors) {
  RunPython(kTfliteModel);
  EXPECT_EQ(JudgeConfigurations("tflite", "fp32"), (std::vector<std::string>{"xnnpack", "built-in kernels"}));
  for (const std::string& configuration : JudgeConfigurations("tflite", "fp32")) {
    SCOPED_TRACE(configuration);
    auto session = LoadArtifact(*hosts_, "tflite", configuration, folder() / "model.tflite");
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_EQ((*session)->identity().configuration, configuration);
    auto one = (*session)->Run({{"x", Tensor::From<float>({1, 2}, {1, 2})}}, {});
    ASSERT_TRUE(one.ok()) << one.status();
    EXPECT_EQ((*one)[0].first, "y");
    EXPECT_EQ((*one)[0].second.ToFloats(), (std::vector<float>{0, 3, 0}));
    auto two = (*session)->Run({{"x", Tensor::From<float>({2, 2}, {1, 2, -1, 0})}}, {});
    ASSERT_TRUE(two.ok()) << two.status();
    EXPECT_EQ((*two)[0].second.shape(), (std::vector<int64_t>{2, 3}));
    EXPECT_EQ((*two)[0].second.ToFloats(), (std::vector<float>{0, 3, 0, 0, 0, 2}));
    auto inner = (*session)->Run({{"x", Tensor::From<float>({1, 2}, {1, 2})}}, {"y", "inner"});
    EXPECT_EQ(inner.ok(), (*session)->CanFetch());
    EXPECT_EQ((*session)->CanFetch(), configuration == "built-in kernels");
    if (inner.ok()) {
      EXPECT_EQ((*inner)[1].second.ToFloats(), (std::vector<float>{-0.5, 3, -2}));
    }
    EXPECT_FALSE((*session)->Run({{"wrong", Tensor::From<float>({1, 2}, {1, 2})}}, {}).ok());
  }
}

TEST_F(HostsTest, NcnnBlobsHaveOneToFourAxesAndKeepIntegers) {
  ASSERT_TRUE(WriteFileAtomically(folder() / "copy.param",
                                  "7767517\n3 4\nInput in 0 1 in\nSplit split 1 2 in a b\nNoop noop 1 1 a out\n")
                  .ok());
  ASSERT_TRUE(WriteFileAtomically(folder() / "copy.bin", "").ok());
  auto session = LoadArtifact(*hosts_, "ncnn", "fp16 options off", folder() / "copy.param");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE((*session)->CanFetch());
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{7}, std::vector<int64_t>{2, 5},
                                            std::vector<int64_t>{3, 2, 5}, std::vector<int64_t>{2, 3, 1, 5}}) {
    std::vector<int32_t> numbers(static_cast<size_t>(ElementCount(shape)));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int32_t>(i * 1001) - 7;
    const Tensor input = Tensor::From<int32_t>(shape, numbers);
    auto outputs = (*session)->Run({{"in", input}}, {"out", "b"});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (const auto& [name, tensor] : *outputs) {
      EXPECT_EQ(tensor.shape(), shape) << name;
      EXPECT_TRUE(std::ranges::equal(tensor.bytes(), input.bytes())) << name;
    }
  }
  EXPECT_EQ((*session)->Run({{"in", Tensor::Allocate(DataType::kFloat32, {1, 1, 1, 1, 2}).first}}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*session)->Run({{"in", Tensor::Float32s({1})}}, {"nothing"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace slipway
