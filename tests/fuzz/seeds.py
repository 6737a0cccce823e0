#!/usr/bin/env python3
"""Writes the fuzz targets' first inputs: seeds.py FOLDER → FOLDER/<target>/<name>.

Small files that other software wrote (the makers of the other tests' files, the ONNX standard's node cases), and hostile ones made here. The environment
is that of tests/run.sh.
"""
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE_CASES = pathlib.Path("/usr/share/libonnx-testdata/data/node")
OUT = pathlib.Path(sys.argv[1])
LARGEST = 65536
TARGETS = ("onnx", "export", "torch_zip", "torch_legacy", "npz", "npy", "safetensors")


def seed(target, name, content):
    if len(content) <= LARGEST:
        (OUT / target / name).write_bytes(content)


def make(variable, script, *arguments):
    """What a script of the tests writes into the folder given last."""
    folder = tempfile.mkdtemp()
    subprocess.run([os.environ[variable], str(ROOT / "tests" / script), *arguments, folder], check=True)
    files = {path.name: path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir()) if path.is_file()}
    shutil.rmtree(folder)
    return files


# The wire format of protocol buffers, by hand: hostile files need not pass any library's checks.
def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, dims, values, data_type=7):
    """Of int64 (7) by default, packed."""
    return b"".join(field(1, d) for d in dims) + field(2, data_type) + field(8, name) + field(7, b"".join(map(varint, values)))


def attribute(name, number, value):
    kind = {3: 2, 6: 5, 8: 7, 5: 4}[number]  # i, g, ints, t
    return field(5, field(1, name) + field(20, kind) + b"".join(field(number, v) for v in (value if isinstance(value, list) else [value])))


def node(op, inputs, outputs, *attributes, domain=""):
    return field(1, b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(4, op) + field(7, domain) + b"".join(attributes))


def value_info(number, name, dims, data_type=1):
    sizes = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
    return field(number, field(1, name) + field(2, field(1, field(1, data_type) + field(2, sizes))))


def model(*graph, more=b"", opset=17):
    return field(1, 8) + field(8, field(2, opset)) + field(7, b"".join(graph)) + more


def nested(depth, op="If"):
    graph = node("Identity", ["x"], ["leaf"]) + field(12, field(1, "leaf"))
    for level in range(depth):
        graph = node(op, ["c"], [f"o{level}"], attribute("then_branch", 6, graph), attribute("else_branch", 6, graph if level < 2 else b"")) + field(12, field(1, f"o{level}"))
    return graph


def onnx_seeds():
    x, y = value_info(11, "x", [1, 3, 8, 8]), field(12, field(1, "y"))
    huge = 1 << 40
    ints = lambda name, values: field(5, tensor(name, [len(values)], values))
    sized = {  # an op whose constant operands ask for terabytes
        "constant_of_shape": node("ConstantOfShape", ["s"], ["y"]) + ints("s", [huge]),
        "constant_of_overflowing_shape": node("ConstantOfShape", ["s"], ["y"]) + ints("s", [1 << 62, 4]),
        "expand": node("Expand", ["v", "s"], ["y"]) + ints("v", [1]) + ints("s", [huge, 16]),
        "tile": node("Tile", ["v", "s"], ["y"]) + ints("v", [1]) + ints("s", [huge]),
        "range": node("Range", ["a", "b", "c"], ["y"]) + b"".join(field(5, tensor(n, [], [v])) for n, v in (("a", 0), ("b", huge), ("c", 1))),
        "range_by_zero": node("Range", ["a", "b", "c"], ["y"]) + b"".join(field(5, tensor(n, [], [v])) for n, v in (("a", 0), ("b", 9), ("c", 0))),
        "range_of_all": node("Range", ["a", "b", "c"], ["y"]) + b"".join(field(5, tensor(n, [], [v])) for n, v in (("a", -(1 << 63)), ("b", (1 << 63) - 1), ("c", -1))),
        "pad": node("Pad", ["v", "s"], ["y"]) + ints("v", [1]) + ints("s", [huge, huge]),
        "pad_below": node("Pad", ["v", "s"], ["y"]) + ints("v", [1]) + ints("s", [-(1 << 63), -1]),
        "pad_input": node("Pad", ["x", "s"], ["y"]) + ints("s", [(1 << 63) - 1] * 8),
        "resize": node("Resize", ["x", "", "", "s"], ["y"]) + ints("s", [1, 3, huge, huge]),
        "one_hot": node("OneHot", ["v", "d", "w"], ["y"]) + ints("v", [1, 2]) + field(5, tensor("d", [], [huge])) + ints("w", [0, 1]),
        "one_hot_least": node("OneHot", ["v", "d", "w"], ["y"]) + ints("v", [1, -(1 << 63)]) + field(5, tensor("d", [], [(1 << 63) - 1])) + ints("w", [0, 1]),
        "gather": node("Gather", ["v", "s"], ["y"]) + ints("v", [1, 2]) + ints("s", [-(1 << 63), 5]),
        "slice": node("Slice", ["v", "a", "b", "c", "d"], ["y"]) + ints("v", [1, 2, 3]) + ints("a", [-(1 << 63)]) + ints("b", [(1 << 63) - 1]) + ints("c", [0]) + ints("d", [-(1 << 63)]),
        "slice_by_zero": node("Slice", ["v", "a", "b", "c", "d"], ["y"]) + ints("v", [1, 2, 3]) + ints("a", [0]) + ints("b", [3]) + ints("c", [0]) + ints("d", [0]),
        "divide": node("Div", ["v", "w"], ["y"]) + ints("v", [-(1 << 63), 1]) + ints("w", [-1, 0]),
        "modulo": node("Mod", ["v", "w"], ["y"]) + ints("v", [-(1 << 63), 1]) + ints("w", [-1, 0]),
        "multiply": node("Mul", ["v", "v"], ["y"]) + ints("v", [1 << 62, -(1 << 63)]),
        "absolute": node("Abs", ["v"], ["y"]) + ints("v", [-(1 << 63)]),
        "power": node("Pow", ["v", "w"], ["y"]) + ints("v", [3, -(1 << 63)]) + ints("w", [huge, huge]),
        "cumsum": node("CumSum", ["v", "a"], ["y"]) + ints("v", [(1 << 63) - 1] * 3) + field(5, tensor("a", [], [0])),
        "split": node("Split", ["v", "s"], ["y", "z"]) + ints("v", [1, 2, 3]) + ints("s", [huge, 3 - huge]),
        "reshape": node("Reshape", ["x", "s"], ["y"]) + ints("s", [-1, 0, huge, huge]),
        "reshape_unknown": node("Reshape", ["x", "s"], ["y"]) + ints("s", [-1, 1 << 62, 4]),
        "unsqueeze": node("Unsqueeze", ["x", "s"], ["y"]) + ints("s", [-(1 << 63), 1 << 62]),
        "transpose": node("Transpose", ["x"], ["y"], attribute("perm", 8, [0, 0, 1 << 40, -1])),
        "convolution": node("Conv", ["x", "w"], ["y"], attribute("strides", 8, [0, 0]), attribute("dilations", 8, [huge, huge]), attribute("pads", 8, [1 << 62] * 4), attribute("group", 3, 0))
        + field(5, field(1, 3) + field(1, 0) + field(1, huge) + field(1, 3) + field(2, 1) + field(8, "w")),
        "pool": node("MaxPool", ["x"], ["y"], attribute("kernel_shape", 8, [1 << 62, -1]), attribute("strides", 8, [0, -1]), attribute("pads", 8, [(1 << 63) - 1] * 4)),
        "space_to_depth": node("SpaceToDepth", ["x"], ["y"], attribute("blocksize", 3, 0)),
        "depth_to_space": node("DepthToSpace", ["x"], ["y"], attribute("blocksize", 3, 1 << 62)),
        "eye": node("EyeLike", ["x"], ["y"], attribute("k", 3, -(1 << 63))),
        "flatten": node("Flatten", ["x"], ["y"], attribute("axis", 3, 1 << 40)),
        "tile_twice": "".join([]).encode() + node("Tile", ["v", "s"], ["t0"]) + b"".join(node("Tile", [f"t{i}", "s"], [f"t{i + 1}"]) for i in range(8)) + node("Identity", ["t8"], ["y"]) + ints("v", [1]) + ints("s", [1000]),
        "concat_doubling": b"".join(node("Concat", [f"k{i}", f"k{i}"], [f"k{i + 1}"], attribute("axis", 3, 0)) for i in range(40)) + ints("k0", [1]) + node("Identity", ["k40"], ["y"]),
        "matmul": node("ConstantOfShape", ["s"], ["m"]) + node("ConstantOfShape", ["t"], ["n"]) + node("MatMul", ["m", "n"], ["y"]) + ints("s", [100000, 1]) + ints("t", [1, 100000]),
        "add_broadcast": node("ConstantOfShape", ["s"], ["m"]) + node("ConstantOfShape", ["t"], ["n"]) + node("Add", ["m", "n"], ["y"]) + ints("s", [100000, 1]) + ints("t", [1, 100000]),
    }
    for name, nodes in sized.items():
        seed("onnx", "hostile-" + name, model(nodes, x, y))
    seed("onnx", "hostile-dims", model(node("Relu", ["x"], ["y"]), value_info(11, "x", [1 << 39] * 9), y))
    seed("onnx", "hostile-negative-dims", model(node("Relu", ["x"], ["y"]), value_info(11, "x", [-7, -1, 0]), y))
    seed("onnx", "hostile-claim", model(field(5, field(1, 1 << 31) + field(2, 1) + field(8, "y") + field(9, b"1234")), y))
    seed("onnx", "hostile-raw-claim", model(field(5, field(1, 2) + field(2, 1) + field(8, "y") + varint(9 << 3 | 2) + varint(1 << 33) + b"1234"), y))
    seed("onnx", "hostile-sparse", model(field(15, field(1, tensor("y", [1], [1])) + field(2, tensor("i", [1], [huge])) + field(3, huge)), y))
    entries = lambda *pairs: b"".join(field(13, field(1, k) + field(2, v)) for k, v in pairs)
    external = lambda *pairs: field(5, field(1, 2) + field(2, 1) + field(8, "y") + field(14, 1) + entries(*pairs))
    seed("onnx", "external", model(external(("location", "w"), ("offset", "3"), ("length", "8")), y))
    seed("onnx", "hostile-external", model(external(("location", "../w"), ("offset", "9223372036854775807"), ("length", "9223372036854775807")), y))
    seed("onnx", "hostile-cycle", model(node("Relu", ["y"], ["z"]), node("Relu", ["z"], ["y"]), x, y))
    seed("onnx", "hostile-twice", model(node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"]), x, y))
    for depth in (3, 12):
        seed("onnx", f"nested-{depth}", model(nested(depth), field(5, tensor("c", [], [1], 9)), x, y))
    function = lambda name, *nodes: field(25, field(1, name) + field(4, "x") + field(5, "y") + b"".join(field(7, n[1 + len(varint(len(n) - 2)):] if False else n) for n in nodes) + field(10, "f") + field(9, field(2, 17)))
    call = lambda op, a, b: field(1, a) + field(2, b) + field(4, op) + field(7, "f")
    seed("onnx", "hostile-recursion", model(node("F", ["x"], ["y"], domain="f"), x, y, more=function("F", call("F", "x", "y"))))
    doubling = b"".join(function(f"F{i}", call(f"F{i + 1}", "x", "m"), call(f"F{i + 1}", "m", "y")) for i in range(30))
    seed("onnx", "hostile-doubling", model(node("F0", ["x"], ["y"], domain="f"), x, y, more=doubling + function("F30", field(1, "x") + field(2, "y") + field(4, "Relu"))))
    seed("onnx", "hostile-messages", field(7, field(1, field(5, field(6, b"")))) + b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80")
    bomb = b""
    for _ in range(4000):  # a graph in an attribute of a node of a graph …
        bomb = field(1, field(5, field(6, bomb)))
        if len(bomb) > 40000:
            break
    seed("onnx", "hostile-bomb", field(7, bomb))
    for path in sorted(NODE_CASES.glob("*/model.onnx")):
        if path.stat().st_size < 4096:
            seed("onnx", path.parent.name, path.read_bytes())
    for name, content in make("SLIPWAY_PYTHON", "onnx/models.py").items():
        if name.endswith(".onnx"):
            seed("onnx", name, content)


def checkpoint_seeds():
    for name, content in make("SLIPWAY_TORCH_PYTHON", "support/with_torch.py", "checkpoints").items():
        if name.endswith((".pt", ".pkl")):
            seed("torch_zip" if content[:2] == b"PK" else "torch_legacy", name, content)
    for name, content in make("SLIPWAY_PYTHON", "support/array_files.py").items():
        if name.endswith(".npz"):
            seed("npz", name, content)
            path = OUT / "npz" / name
            if zipfile.is_zipfile(path):
                try:
                    with zipfile.ZipFile(path) as archive:
                        for entry in archive.namelist():
                            if entry.endswith(".npy"):
                                seed("npy", f"{name}-{entry.replace('/', '_')}", archive.read(entry)[:1024])
                except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
                    continue  # one of the bad ones
        elif name.endswith(".safetensors"):
            seed("safetensors", name, content)


def hostile_checkpoints():
    """Claims of sizes, memos and nesting that only a pickle written by hand has."""
    magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch's
    version = b"\x80\x02M\xe9\x03."
    for name, pickle in {
        "nested": b"\x80\x02" + b"]" * 30000 + b"a" * 29999 + b".", "tuples": b"\x80\x02)" + b"\x85" * 30000 + b".",
        "memo": b"\x80\x02]r\xff\xff\xff\xff.", "string": b"\x80\x02T\xff\xff\xff\x7f.", "string8": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
        "long": b"\x80\x02\x8b\xff\xff\xff\x7f.", "cycle": b"\x80\x02]q\x00h\x00a.", "duplicates": b"\x80\x02(" + b"]" + b"2" * 20000 + b"l.",
        "doubling": b"\x80\x02)q\x00" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(200)) + b".",
        "frame": b"\x80\x04\x95" + b"\xff" * 8 + b".", "marks": b"\x80\x02" + b"(" * 60000,
    }.items():
        seed("torch_legacy", "hostile-" + name, magic + version + b"\x80\x02}." + pickle)
        seed("torch_legacy", "hostile-bare-" + name, pickle)
    header = lambda text, length=None: struct.pack("<Q", len(text) if length is None else length) + text
    for name, content in {
        "claim": header(b"{}", 1 << 47), "nested": header(b'{"a":' + b"[" * 30000), "open": header(b'{"a":"' + b"x" * 999),
        "sizes": header(b'{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'),
    }.items():
        seed("safetensors", "hostile-" + name, content)
    for name, text in {
        "claim": "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }", "many": "{'shape': (" + "1, " * 9000 + ")}",
        "long": "{'descr': '<f99999999999999999999', 'fortran_order': False, 'shape': (99999999999999999999,), }", "nested": "{'descr': " + "[(" * 15000,
    }.items():
        for version, length in ((1, "<H"), (2, "<I")):
            if len(text) < 65536:
                seed("npy", f"hostile-{name}-{version}", b"\x93NUMPY" + bytes([version, 0]) + struct.pack(length, len(text)) + text.encode())
    seed("npy", "hostile-length", b"\x93NUMPY\x03\x00\xff\xff\xff\xff{")


for target in TARGETS:
    shutil.rmtree(OUT / target, ignore_errors=True)
    (OUT / target).mkdir(parents=True)
onnx_seeds()
checkpoint_seeds()
hostile_checkpoints()
for number, path in enumerate(sorted((OUT / "onnx").iterdir())):
    if number % 4 == 0 or not path.name.startswith("test_"):  # an export takes long: of the node cases some
        shutil.copy(path, OUT / "export")
for target in TARGETS:
    print(target, len(list((OUT / target).iterdir())))
