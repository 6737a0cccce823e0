"""ONNX models to be inspected, and what other libraries say of model files: inspect_models.py OUT [FILE...]

OUT gets small.onnx and models that cannot be converted: unknown.onnx, broken.onnx, bodies.onnx, external.onnx (without its data). OUT/index.json: "files", for each FILE what the format's own library says:
operators (name -> count), inputs, outputs (name -> shape, null where the library does not say) and weights (dtype -> elements)."""
import collections
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1]
random = np.random.default_rng(3)


def weight(name, *shape):
    return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)


def save(name, nodes, inputs, outputs, initializers, opsets=(("", 17),)):
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*o) for o in opsets], producer_name="maker", producer_version="1.5", ir_version=8)
    onnx.save(model, os.path.join(OUT, name))


def info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


save("small.onnx",
     [helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"], name="relu"),
      helper.make_node("Conv", ["r", "w2"], ["c2"], name="conv2"), helper.make_node("GlobalAveragePool", ["c2"], ["g"], name="pool"),
      helper.make_node("Flatten", ["g"], ["f"], name="flat"), helper.make_node("Gemm", ["f", "fc", "fcb"], ["y"], name="fc", transB=1)],
     [info("x", [1, 3, 16, 16])], [info("y", [1, 5])],
     [weight("w", 8, 3, 3, 3), weight("b", 8), weight("w2", 4, 8, 3, 3), weight("fc", 5, 4), weight("fcb", 5)])

# Two domains nobody knows, an op that ONNX does not have, one in a sub-graph; NonZero has no layer in NCNN.
branch = helper.make_graph([helper.make_node("Enigma", ["x"], ["t"], name="inner", domain="com.acme")], "then", [], [info("t", ["batch", 3])])
other = helper.make_graph([helper.make_node("Identity", ["x"], ["e"])], "else", [], [info("e", ["batch", 3])])
save("unknown.onnx",
     [helper.make_node("Mystery", ["x"], ["m"], name="mystery", domain="com.acme"), helper.make_node("Relu", ["m"], ["mr"], name="after"),
      helper.make_node("Riddle", ["mr"], ["y"], name="riddle", domain="org.example"), helper.make_node("Nonesuch", ["x"], ["z"], name="nonesuch"),
      helper.make_node("NonZero", ["x"], ["places"], name="places"), helper.make_node("If", ["flag"], ["chosen"], name="choice", then_branch=branch, else_branch=other)],
     [info("x", ["batch", 3]), info("flag", [], TensorProto.BOOL)],
     [info("y", None), info("z", None), info("places", None, TensorProto.INT64), info("chosen", ["batch", 3])], [],
     (("", 17), ("com.acme", 1), ("org.example", 2)))


# Faults of other kinds, each at a node of its own: an input too few, sizes that do not fit, a name that nothing makes, a cycle.
save("broken.onnx",
     [helper.make_node("Conv", ["x4"], ["a"], name="arity"), helper.make_node("MatMul", ["x", "w57"], ["b"], name="clash"),
      helper.make_node("Relu", ["b"], ["br"], name="after_clash"), helper.make_node("Relu", ["nowhere"], ["c"], name="dangling"),
      helper.make_node("Add", ["x", "l2"], ["l1"], name="cycle_a"), helper.make_node("Relu", ["l1"], ["l2"], name="cycle_b"),
      helper.make_node("Relu", ["l2"], ["d"], name="behind"), helper.make_node("Mystery", ["s"], ["m"], name="mystery", domain="com.acme"),
      helper.make_node("Softsign", ["x"], ["s"], name="read_by_mystery"), helper.make_node("NonZero", ["x"], ["places"], name="places"),
      helper.make_node("Relu", ["x"], ["fine"], name="fine")],
     [info("x", [2, 3]), info("x4", [1, 3, 8, 8])],
     [info(n, None) for n in ("a", "br", "c", "d", "m", "fine")] + [info("places", None, TensorProto.INT64)], [weight("w57", 5, 7)], (("", 17), ("com.acme", 1)))

# Control flow that is what it should be, but for formats that have none; two nodes in it that NCNN has no layer for either, one of them two graphs deep.
deep = helper.make_graph([helper.make_node("NonZero", ["x"], ["dp"], name="deep_places"), helper.make_node("ReduceMax", ["dp"], ["dm"], name="deep_max", keepdims=0),
                          helper.make_node("Cast", ["dm"], ["df"], name="deep_cast", to=TensorProto.FLOAT), helper.make_node("Add", ["x", "df"], ["dy"], name="deep_add")],
                         "deep", [], [info("dy", [2, 3])])
plain = helper.make_graph([helper.make_node("Relu", ["x"], ["py"], name="plain_relu")], "plain", [], [info("py", [2, 3])])
body = helper.make_graph([helper.make_node("If", ["go"], ["step"], name="inner_if", then_branch=deep, else_branch=plain),
                          helper.make_node("Add", ["sum_in", "step"], ["sum_out"], name="body_add"), helper.make_node("NonZero", ["sum_out"], ["bp"], name="body_places"),
                          helper.make_node("Identity", ["go_in"], ["go_out"], name="body_go")],
                         "body", [info("turn", [], TensorProto.INT64), info("go_in", [], TensorProto.BOOL), info("sum_in", [2, 3])],
                         [info("go_out", [], TensorProto.BOOL), info("sum_out", [2, 3]), info("bp", [2, None], TensorProto.INT64)])
save("bodies.onnx", [helper.make_node("Loop", ["turns", "", "x"], ["y", "all_places"], name="turning", body=body)],
     [info("x", [2, 3]), info("go", [], TensorProto.BOOL), info("turns", [], TensorProto.INT64)],
     [info("y", [2, 3]), info("all_places", None, TensorProto.INT64)], [])

# Two weights in a file that is not there.
external = [weight("w", 8, 3, 3, 3), weight("v", 4, 8, 3, 3)]
offset = 0
for tensor in external:
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", str(offset)), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    offset += size
graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["c"], name="first"), helper.make_node("Conv", ["c", "v"], ["y"], name="second"),
                           helper.make_node("NonZero", ["y"], ["places"], name="places")], "g", [info("x", [1, 3, 16, 16])],
                          [info("y", None), info("places", None, TensorProto.INT64)], external)
with open(os.path.join(OUT, "external.onnx"), "wb") as file:
    file.write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def of_onnx(path):
    model = onnx.load(path)
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*model.graph.input, *model.graph.output]}
    weights = collections.Counter()
    for tensor in model.graph.initializer:
        weights[str(numpy_helper.to_array(tensor).dtype)] += numpy_helper.to_array(tensor).size
    return {"operators": collections.Counter(n.op_type for n in model.graph.node), "inputs": {v.name: shapes[v.name] for v in model.graph.input},
            "outputs": {v.name: shapes[v.name] for v in model.graph.output}, "weights": weights}


def of_tflite(path):
    from ai_edge_litert import schema_py_generated as schema
    with open(path, "rb") as file:
        model = schema.ModelT.InitFromPackedBuf(file.read(), 0)
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    types = {schema.TensorType.FLOAT32: "float32", schema.TensorType.INT32: "int32", schema.TensorType.INT64: "int64", schema.TensorType.INT8: "int8"}
    weights = collections.Counter()
    for tensor in graph.tensors:
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data):
            weights[types[tensor.type]] += int(np.prod(tensor.shape, dtype=np.int64))
    signature = model.signatureDefs[0]

    def interface(maps):
        return {m.name.decode(): [int(s) for s in graph.tensors[m.tensorIndex].shape] for m in maps}
    return {"operators": collections.Counter(names[model.operatorCodes[o.opcodeIndex].builtinCode] for o in graph.operators),
            "inputs": interface(signature.inputs), "outputs": interface(signature.outputs), "weights": weights}


def of_mlpackage(path):
    import coremltools
    from coremltools.converters.mil.frontend.milproto.load import load as load_program
    spec = coremltools.utils.load_spec(path)
    features = {f.name: list(f.type.multiArrayType.shape) or None for f in [*spec.description.input, *spec.description.output]}
    program = load_program(spec, specification_version=spec.specificationVersion, file_weights_dir=os.path.join(path, "Data/com.apple.CoreML/weights"))
    operators, weights = collections.Counter(), collections.Counter()
    for op in program.functions["main"].operations:
        if op.op_type != "const":
            operators[op.op_type] += 1
        elif isinstance(op.outputs[0].val, np.ndarray) and op.outputs[0].val.dtype == np.float32 and op.outputs[0].val.size > 1:
            weights["float32"] += op.outputs[0].val.size
    return {"operators": operators, "inputs": {f.name: features[f.name] for f in spec.description.input},
            "outputs": {f.name: features[f.name] for f in spec.description.output}, "weights": weights}


def of_ncnn(path):
    import ncnn
    net = ncnn.Net()
    net.load_param(path)
    if net.load_model(path.replace(".param", ".bin")) != 0:
        sys.exit(f"{path}: NCNN does not load it")
    return {"operators": collections.Counter(layer.type for layer in net.layers()), "inputs": {n: None for n in net.input_names()},
            "outputs": {n: None for n in net.output_names()}, "weights": {}}


READERS = {".onnx": of_onnx, ".tflite": of_tflite, ".mlpackage": of_mlpackage, ".param": of_ncnn}
files = {path: READERS[os.path.splitext(path)[1]](path) for path in sys.argv[2:]}
with open(os.path.join(OUT, "index.json"), "w") as file:
    json.dump({"files": files}, file)
