"""The models of a chaos run: small ones of every kind that the farm meets, and two that cannot be converted."""
import numpy as np
import onnx
from onnx import TensorProto, helper


class Net:
    """Builds one ONNX graph; weights are drawn from `seed`."""

    def __init__(self, seed, **inputs):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights = [], []
        self.inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]

    def weight(self, *shape):
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 16
        name = f"w{len(self.weights)}"
        values = (self.random.standard_normal(shape) * fan_in**-0.5).astype(np.float32)
        self.weights.append(onnx.numpy_helper.from_array(values, name))
        return name

    def integers(self, *values):
        name = f"w{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def op(self, op_type, *inputs, **attributes):
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [output], **attributes))
        return output

    def model(self, output, *shape):
        graph = helper.make_graph(self.nodes, "net", self.inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def mlp(seed):
    net = Net(seed, x=[1, 64])
    y = net.op("Relu", net.op("Gemm", "x", net.weight(64, 96), net.weight(96)))
    return net.model(net.op("Gemm", y, net.weight(96, 10), net.weight(10)), 1, 10)


def classifier(seed):
    net = Net(seed, image=[1, 3, 32, 32])
    y = "image"
    for channels, before in ((16, 3), (32, 16)):
        y = net.op("Relu", net.op("Conv", y, net.weight(channels, before, 3, 3), net.weight(channels), pads=[1, 1, 1, 1], strides=[2, 2]))
    y = net.op("Flatten", net.op("GlobalAveragePool", y))
    return net.model(net.op("Softmax", net.op("Gemm", y, net.weight(32, 10), net.weight(10)), axis=1), 1, 10)


def residual(seed):
    net = Net(seed, x=[1, 8, 24, 24])
    y = net.op("Relu", net.op("Conv", "x", net.weight(8, 8, 3, 3), pads=[1, 1, 1, 1]))
    return net.model(net.op("Add", net.op("Conv", y, net.weight(8, 8, 1, 1)), "x"), 1, 8, 24, 24)


def depthwise(seed):
    net = Net(seed, x=[1, 12, 20, 20])
    y = net.op("HardSwish", net.op("Conv", "x", net.weight(12, 1, 5, 5), pads=[2, 2, 2, 2], group=12))
    return net.model(net.op("MaxPool", net.op("Conv", y, net.weight(6, 12, 1, 1)), kernel_shape=[2, 2], strides=[2, 2]), 1, 6, 10, 10)


def decoder(seed):
    net = Net(seed, x=[1, 8, 10, 10])
    y = net.op("ConvTranspose", "x", net.weight(8, 4, 2, 2), strides=[2, 2])
    return net.model(net.op("Sigmoid", y), 1, 4, 20, 20)


def attention(seed):
    net = Net(seed, x=[1, 12, 16])
    q, k, v = (net.op("MatMul", "x", net.weight(16, 16)) for _ in range(3))
    scores = net.op("Softmax", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 2, 1])), axis=-1)
    return net.model(net.op("MatMul", scores, v), 1, 12, 16)


def two_inputs(seed):
    net = Net(seed, a=[1, 4, 16, 16], b=[1, 4, 16, 16])
    y = net.op("Concat", net.op("Mul", "a", "b"), "a", axis=1)
    return net.model(net.op("Tanh", net.op("Conv", y, net.weight(4, 8, 3, 3), pads=[1, 1, 1, 1])), 1, 4, 16, 16)


def head(seed):
    net = Net(seed, x=[1, 6, 8, 8])
    y = net.op("Reshape", net.op("Transpose", "x", perm=[0, 2, 3, 1]), net.integers(1, 64, 6))
    return net.model(net.op("MatMul", y, net.weight(6, 4)), 1, 64, 4)


def unknown_op(seed):
    net = Net(seed, x=[1, 4])
    net.nodes.append(helper.make_node("Frobnicate", ["x"], ["y"], domain="example.org"))
    graph = helper.make_graph(net.nodes, "net", net.inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("example.org", 1)], ir_version=8)


GOOD = (mlp, classifier, residual, depthwise, decoder, attention, two_inputs, head)
BAD = ("broken", "unknown_op")


def names():
    """All models, good ones first."""
    return [build.__name__ for build in GOOD] + list(BAD)


def write(folder, seed, wanted, mark=""):
    """Writes the named models to `folder`. A `mark` makes them other files of the same meaning: to a farm they are new."""
    folder.mkdir()
    for name in wanted:
        build = classifier if name == "broken" else globals()[name]
        model = build(seed + len(name))
        model.metadata_props.add(key="mark", value=mark)
        data = model.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data[: len(data) // 2] + mark.encode() if name == "broken" else data)
