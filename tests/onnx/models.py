"""Writes small models at every opset into a folder: models.py FOLDER. Beside each its input as a TensorProto."""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(1)


def weights(*shape):
    return (rng.standard_normal(shape) * 0.3).astype(np.float32)


def ints(values):
    return np.array(values, dtype=np.int64)


def image(opset):
    """Conv, pools, PRelu, Clip, Pad, Slice, Split, Squeeze, reductions, Softmax, Gemm in the opset's own form."""
    nodes, constants = [], {}

    def constant(name, value):
        constants[name] = value
        return name

    def node(op, inputs, output, **attributes):
        outputs = output if isinstance(output, list) else [output]
        nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return output

    def with_axes(op, x, axes, output, since, **attributes):
        if opset >= since:
            return node(op, [x, constant(output + "_axes", ints(axes))], output, **attributes)
        return node(op, [x], output, axes=axes, **attributes)

    node("Conv", ["x", constant("w1", weights(6, 3, 3, 3)), constant("b1", weights(6))], "c1", pads=[1, 0, 1, 2], strides=[2, 1])
    node("PRelu", ["c1", constant("slope", weights(6, 1, 1))], "p1")
    pool = {"ceil_mode": 1} if opset >= 10 else {}
    node("MaxPool", ["p1"], "m1", kernel_shape=[3, 3], strides=[2, 2], **pool)
    node("AveragePool", ["m1"], "a1", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)
    if opset >= 11:
        node("Clip", ["a1", constant("low", np.float32(-0.4)), constant("high", np.float32(0.5))], "k1")
        node("Pad", ["k1", constant("pads", ints([0, 0, 1, 0, 0, 0, 0, 2])), constant("fill", np.float32(0.25))], "d1")
    else:
        node("Clip", ["a1"], "k1", min=-0.4, max=0.5)
        node("Pad", ["k1"], "d1", pads=[0, 0, 1, 0, 0, 0, 0, 2], value=0.25)
    if opset >= 10:
        node("Slice", ["d1", constant("from", ints([1, 0])), constant("to", ints([6, 1 << 40])), constant("along", ints([1, 3]))], "s1")
    else:
        node("Slice", ["d1"], "s1", starts=[1, 0], ends=[6, 1 << 31], axes=[1, 3])
    if opset >= 13:
        node("Split", ["s1", constant("parts", ints([2, 3]))], ["t1", "t2"], axis=1)
    else:
        node("Split", ["s1"], ["t1", "t2"], axis=1, split=[2, 3])
    node("BatchNormalization", ["t2", *(constant(n, np.abs(weights(3)) + 0.1) for n in ("bs", "bb", "bm", "bv"))], "n1")
    with_axes("ReduceMean", "t1", [2, 3], "r1", 18, keepdims=1)
    with_axes("ReduceMax", "n1", [2, 3], "r2", 18, keepdims=1)
    node("Concat", ["r1", "r2"], "v1", axis=1)
    with_axes("Squeeze", "v1", [2, 3], "q1", 13)
    node("Gemm", ["q1", constant("wg", weights(4, 5)), constant("bg", weights(4))], "g1", transB=1, alpha=0.5)
    node("Softmax", ["g1"], "probabilities")
    with_axes("Unsqueeze", "g1", [1], "u1", 13)
    node("Softmax", ["n1"], "flat", axis=1)
    with_axes("ReduceSum", "flat", [1, 2], "sums", 13, keepdims=0)
    if opset >= 10:
        node("TopK", ["g1", constant("k", ints([2]))], ["best", "where"], axis=1)
    else:
        node("TopK", ["g1"], ["best", "where"], axis=1, k=2)
    if opset >= 11:
        node("Resize", ["t1", constant("roi", weights(0)), constant("scales", np.array([1, 1, 2, 2], np.float32))], "big", mode="nearest",
             coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    elif opset == 10:
        node("Resize", ["t1", constant("scales", np.array([1, 1, 2, 2], np.float32))], "big", mode="nearest")
    elif opset == 9:
        node("Upsample", ["t1", constant("scales", np.array([1, 1, 2, 2], np.float32))], "big", mode="nearest")
    else:
        node("Upsample", ["t1"], "big", scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")
    outputs = ["probabilities", "u1", "sums", "best", "where", "big"]
    graph = helper.make_graph(
        nodes, "image", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 13, 11])],
        [helper.make_tensor_value_info(o, TensorProto.INT64 if o == "where" else TensorProto.FLOAT, None) for o in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    return graph, {"x": weights(2, 3, 13, 11)}


folder = sys.argv[1]
for opset in range(7, 27):
    graph, inputs = image(opset)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=helper.VERSION_TABLE[-1][1] if opset > 25 else 8)
    model.ir_version = min(13, max(4, {r[2]: r[1] for r in helper.VERSION_TABLE if r[2] == opset}.get(opset, 8)))
    onnx.save(model, f"{folder}/image_{opset}.onnx")
    with open(f"{folder}/image_{opset}.x.pb", "wb") as f:
        f.write(numpy_helper.from_array(inputs["x"]).SerializeToString())
