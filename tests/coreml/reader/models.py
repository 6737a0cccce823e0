"""models.py FOLDER FAMILY: writes .mlpackage files with coremltools, and what they should compute by numpy.

Nothing of the project takes part: the models are coremltools' own, the numbers closed forms over numpy. For each case there are
<name>.mlpackage and an entry of cases.json with the inputs and the expected outputs.
"""
import itertools
import json
import logging
import math
import os
import sys

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

logging.disable(logging.CRITICAL)
random = np.random.RandomState(7)
cases = []


def floats(*shape, low=-1.0, high=1.0):
    return random.uniform(low, high, shape).astype(np.float32)


def case(family, name, inputs, build, expected, half=False, dynamic=(), target=ct.target.iOS15):
    """`build` makes the program's result from its inputs; `expected` the numbers from the same arrays."""
    if family != sys.argv[2]:
        return
    specs = []
    for key, value in inputs.items():
        shape = tuple(ct.converters.mil.mil.get_new_symbol() if (key, axis) in dynamic else size
                      for axis, size in enumerate(value.shape))
        kind = types.int32 if value.dtype == np.int32 else types.fp32
        specs.append(mb.TensorSpec(shape=shape, dtype=kind))
    names = list(inputs)
    arguments = ", ".join(names)
    scope = {"build": build}
    exec(f"def program({arguments}):\n    return build({arguments})", scope)
    program = mb.program(input_specs=specs, opset_version=target)(scope["program"])
    precision = ct.precision.FLOAT16 if half else ct.precision.FLOAT32
    # Half precision is a pass of coremltools' own pipeline; elsewhere the program is saved as it was built.
    pipeline = ct.PassPipeline.DEFAULT if half else ct.PassPipeline.EMPTY
    shapes = None
    if dynamic:
        shapes = [ct.TensorType(name=key, shape=tuple(
            ct.RangeDim(1, 64, default=size) if (key, axis) in dynamic else size
            for axis, size in enumerate(value.shape))) for key, value in inputs.items()]
    model = ct.convert(program, convert_to="mlprogram", compute_precision=precision, pass_pipeline=pipeline,
                       minimum_deployment_target=target, skip_model_load=True, inputs=shapes)
    model.save(os.path.join(sys.argv[1], name + ".mlpackage"))
    results = expected(*inputs.values())
    results = results if isinstance(results, (tuple, list)) else [results]
    outputs = [output.name for output in model.get_spec().description.output]
    assert len(outputs) == len(results), name
    cases.append({
        "family": family, "name": name, "half": half,
        "inputs": [tensor(key, value) for key, value in inputs.items()],
        "outputs": [tensor(key, np.asarray(value)) for key, value in zip(outputs, results)]})


def tensor(name, value):
    """JSON has no infinity: null is +Inf."""
    return {"name": name, "dtype": "int32" if value.dtype.kind in "ib" else "float32", "shape": list(value.shape),
            "values": [None if v == np.inf else float(v) for v in value.reshape(-1)]}


# --- numpy meanings


def windows(x, kernel, strides, dilations, pads, fill, sizes=None):
    """Yields (output, input window elements as an array [n, c, taps], taps inside the padded data) of a padded x."""
    spatial = len(kernel)
    if sizes is None:
        sizes = [(x.shape[2 + i] + pads[2 * i] + pads[2 * i + 1] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1
                 for i in range(spatial)]
    for position in itertools.product(*(range(size) for size in sizes)):
        taps = []
        for tap in itertools.product(*(range(size) for size in kernel)):
            index = [position[i] * strides[i] + tap[i] * dilations[i] - pads[2 * i] for i in range(spatial)]
            inside = all(0 <= index[i] < x.shape[2 + i] for i in range(spatial))
            padded = all(-pads[2 * i] <= index[i] < x.shape[2 + i] + pads[2 * i + 1] for i in range(spatial))
            value = x[(slice(None), slice(None), *index)] if inside else np.full(x.shape[:2], fill)
            taps.append((value, inside, padded))
        yield position, taps, sizes


def conv(x, weight, bias=None, strides=None, dilations=None, pads=None, groups=1):
    spatial = x.ndim - 2
    strides, dilations, pads = strides or [1] * spatial, dilations or [1] * spatial, pads or [0] * 2 * spatial
    out, per_group = weight.shape[0], weight.shape[0] // groups
    result = None
    for position, taps, sizes in windows(x.astype(np.float64), weight.shape[2:], strides, dilations, pads, 0.0):
        if result is None:
            result = np.zeros((x.shape[0], out, *sizes))
        for number, (value, _, _) in enumerate(taps):
            kernel = weight.reshape(*weight.shape[:2], -1)[:, :, number].astype(np.float64)
            for group in range(groups):
                rows = slice(group * per_group, (group + 1) * per_group)
                columns = slice(group * weight.shape[1], (group + 1) * weight.shape[1])
                result[(slice(None), rows, *position)] += value[:, columns] @ kernel[rows].T
    if bias is not None:
        result += bias.reshape(1, -1, *[1] * spatial)
    return result


def conv_transpose(x, weight, bias, strides, pads, dilations=(1, 1), groups=1, more=(0, 0)):
    n, channels, h, w = x.shape
    kh, kw = weight.shape[2:]
    per_group = weight.shape[1]
    full = np.zeros((n, per_group * groups, (h - 1) * strides[0] + (kh - 1) * dilations[0] + 1 + more[0],
                     (w - 1) * strides[1] + (kw - 1) * dilations[1] + 1 + more[1]))
    for c, i, j, a, b in itertools.product(range(channels), range(h), range(w), range(kh), range(kw)):
        group = c // (channels // groups)
        for o in range(per_group):
            full[:, group * per_group + o, i * strides[0] + a * dilations[0], j * strides[1] + b * dilations[1]] += (
                x[:, c, i, j] * weight[c, o, a, b])
    cut = full[:, :, pads[0]:full.shape[2] - pads[1], pads[2]:full.shape[3] - pads[3]]
    return cut + bias.reshape(1, -1, 1, 1)


def same_pads(size, kernel, stride, lower=False):
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return [total - total // 2, total // 2] if lower else [total // 2, total - total // 2]


def pool(x, kernel, strides, pads, kind, sizes=None, exclude=False):
    result = None
    fill = -np.inf if kind == "max" else 0.0
    for position, taps, sizes in windows(x.astype(np.float64), kernel, strides, [1] * len(kernel), pads, fill, sizes):
        if result is None:
            result = np.zeros((*x.shape[:2], *sizes))
        values = np.stack([value for value, _, _ in taps])
        if kind == "max":
            value = values.max(0)
        elif kind == "l2":
            value = np.sqrt((values ** 2).sum(0))
        else:
            value = values.sum(0) / sum((inside if exclude else padded) for _, inside, padded in taps)
        result[(slice(None), slice(None), *position)] = value
    return result


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def bilinear(x, height, width, position):
    """Resizes the last two axes; position(i, in, out) is where output i reads from."""
    def axis(values, where, size):
        old = values.shape[where]
        result = []
        for i in range(size):
            p = min(max(position(i, old, size), 0), old - 1)
            low = int(math.floor(p))
            high = min(low + 1, old - 1)
            result.append(values.take(low, where) * (1 - (p - low)) + values.take(high, where) * (p - low))
        return np.stack(result, where)
    return axis(axis(x.astype(np.float64), x.ndim - 2, height), x.ndim - 1, width)


@np.errstate(over="ignore")
def half(x):
    return np.asarray(x).astype(np.float16).astype(np.float32)


# --- cases


def convolutions():
    x, w, b = floats(1, 3, 9, 8), floats(4, 3, 3, 2), floats(4)
    case("conv", "conv_asymmetric_pad", {"x": x},
         lambda x: mb.conv(x=x, weight=w, bias=b, pad_type="custom", pad=[1, 0, 2, 1], name="y"),
         lambda x: conv(x, w, b, pads=[1, 0, 2, 1]))
    case("conv", "conv_strided_dilated", {"x": x},
         lambda x: mb.conv(x=x, weight=w, strides=[2, 1], dilations=[1, 3], pad_type="valid", name="y"),
         lambda x: conv(x, w, strides=[2, 1], dilations=[1, 3]))
    d = floats(6, 1, 3, 3)
    case("conv", "conv_depthwise_multiplier", {"x": x},
         lambda x: mb.conv(x=x, weight=d, groups=3, pad_type="custom", pad=[1, 1, 1, 1], name="y"),
         lambda x: conv(x, d, pads=[1, 1, 1, 1], groups=3))
    case("conv", "conv_same_strided", {"x": x},
         lambda x: mb.conv(x=x, weight=d, groups=3, strides=[2, 2], pad_type="same", name="y"),
         lambda x: conv(x, d, strides=[2, 2], groups=3, pads=same_pads(9, 3, 2) + same_pads(8, 3, 2)))
    line, w1 = floats(2, 3, 11), floats(5, 3, 4)
    case("conv", "conv_1d", {"x": line}, lambda x: mb.conv(x=x, weight=w1, strides=[2], pad_type="custom", pad=[2, 1], name="y"),
         lambda x: conv(x, w1, strides=[2], pads=[2, 1]))
    volume, w3 = floats(1, 2, 4, 5, 4), floats(3, 2, 2, 3, 2)
    case("conv", "conv_3d", {"x": volume},
         lambda x: mb.conv(x=x, weight=w3, pad_type="custom", pad=[0, 1, 1, 1, 0, 0], name="y"),
         lambda x: conv(x, w3, pads=[0, 1, 1, 1, 0, 0]))
    case("conv", "conv_variable_size", {"x": x},
         lambda x: mb.conv(x=x, weight=w, bias=b, pad_type="custom", pad=[1, 1, 1, 0], name="y"),
         lambda x: conv(x, w, b, pads=[1, 1, 1, 0]), dynamic=(("x", 2), ("x", 3)))
    small, wt, bt = floats(1, 4, 4, 3), floats(4, 3, 3, 3), floats(3)
    case("conv", "conv_transpose", {"x": small},
         lambda x: mb.conv_transpose(x=x, weight=wt, bias=bt, strides=[2, 3], pad_type="custom", pad=[1, 0, 1, 1], name="y"),
         lambda x: conv_transpose(x, wt, bt, [2, 3], [1, 0, 1, 1]))
    wg, bg = floats(4, 2, 3, 3), floats(4)
    case("conv", "conv_transpose_output_shape", {"x": small},
         lambda x: mb.conv_transpose(x=x, weight=wg, bias=bg, groups=2, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1],
                                     output_shape=[1, 4, 8, 6], name="y"),
         lambda x: conv_transpose(x, wg, bg, [2, 2], [1, 1, 1, 1], groups=2, more=(1, 1)))


def pools():
    x = floats(1, 2, 7, 6)
    case("pool", "max_pool", {"x": x},
         lambda x: mb.max_pool(x=x, kernel_sizes=[3, 2], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 0], name="y"),
         lambda x: pool(x, [3, 2], [2, 2], [1, 1, 1, 0], "max"))
    case("pool", "max_pool_ceil", {"x": x},
         lambda x: mb.max_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="valid", ceil_mode=True, name="y"),
         lambda x: pool(x, [3, 3], [2, 2], [0] * 4, "max", sizes=[3, 3]))
    # Torch's rule: a last window that would begin in the padding is dropped.
    case("pool", "max_pool_ceil_dropped_window", {"x": floats(1, 1, 6, 6)},
         lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2], strides=[3, 3], pad_type="custom", pad=[1, 1, 1, 1], ceil_mode=True, name="y"),
         lambda x: pool(x, [2, 2], [3, 3], [1] * 4, "max", sizes=[3, 3]))
    case("pool", "max_pool_ceil_variable_size", {"x": x},
         lambda x: mb.max_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid", ceil_mode=True, name="y"),
         lambda x: pool(x, [2, 2], [2, 2], [0] * 4, "max", sizes=[4, 3]), dynamic=(("x", 2), ("x", 3)))
    case("pool", "avg_pool_counts_padding", {"x": x},
         lambda x: mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 1], pad_type="custom", pad=[1, 1, 1, 1], name="y"),
         lambda x: pool(x, [3, 3], [2, 1], [1] * 4, "avg"))
    case("pool", "avg_pool_excludes_padding", {"x": x},
         lambda x: mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 1], pad_type="custom", pad=[1, 1, 1, 1],
                               exclude_padding_from_average=True, name="y"),
         lambda x: pool(x, [3, 3], [2, 1], [1] * 4, "avg", exclude=True))
    case("pool", "avg_pool_same", {"x": x},
         lambda x: mb.avg_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="same", exclude_padding_from_average=True, name="y"),
         lambda x: pool(x, [2, 2], [2, 2], same_pads(7, 2, 2) + same_pads(6, 2, 2), "avg", exclude=True))
    case("pool", "l2_pool", {"x": x}, lambda x: mb.l2_pool(x=x, kernel_sizes=[2, 3], strides=[1, 2], pad_type="valid", name="y"),
         lambda x: pool(x, [2, 3], [1, 2], [0] * 4, "l2"))


def activations():
    x = floats(1, 3, 4, 2, low=-4, high=4)
    a, b = floats(3, low=0.1, high=0.9), floats(3, low=0.5, high=1.5)
    column = lambda v: v.reshape(1, -1, 1, 1)
    erf = np.vectorize(math.erf)
    forms = {
        "relu": (lambda x: mb.relu(x=x), lambda x: np.maximum(x, 0)),
        "relu6": (lambda x: mb.relu6(x=x), lambda x: np.clip(x, 0, 6)),
        "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.3), lambda x: np.where(x >= 0, x, 0.3 * x)),
        "elu": (lambda x: mb.elu(x=x, alpha=0.7), lambda x: np.where(x > 0, x, 0.7 * (np.exp(x) - 1))),
        "prelu": (lambda x: mb.prelu(x=x, alpha=a), lambda x: np.where(x > 0, x, column(a) * x)),
        "sigmoid": (lambda x: mb.sigmoid(x=x), sigmoid),
        "silu": (lambda x: mb.silu(x=x), lambda x: x * sigmoid(x)),
        "tanh": (lambda x: mb.tanh(x=x), np.tanh),
        "softplus": (lambda x: mb.softplus(x=x), lambda x: np.log1p(np.exp(x))),
        "softplus_parametric": (lambda x: mb.softplus_parametric(x=x, alpha=a, beta=b),
                                lambda x: column(a) * np.log1p(np.exp(column(b) * x))),
        "softsign": (lambda x: mb.softsign(x=x), lambda x: x / (1 + np.abs(x))),
        "gelu_exact": (lambda x: mb.gelu(x=x, mode="EXACT"), lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2)))),
        "gelu_tanh": (lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
                      lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))),
        "gelu_sigmoid": (lambda x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"), lambda x: x * sigmoid(1.702 * x)),
        "sigmoid_hard": (lambda x: mb.sigmoid_hard(x=x, alpha=0.2, beta=0.5), lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        "scaled_tanh": (lambda x: mb.scaled_tanh(x=x, alpha=1.7, beta=0.6), lambda x: 1.7 * np.tanh(0.6 * x)),
        "thresholded_relu": (lambda x: mb.thresholded_relu(x=x, alpha=1.0), lambda x: np.where(x >= 1, x, 0)),
        "clamped_relu": (lambda x: mb.clamped_relu(x=x, alpha=0.2, beta=2.0), lambda x: np.minimum(2, np.where(x >= 0, x, 0.2 * x))),
        "linear_activation": (lambda x: mb.linear_activation(x=x, alpha=2.0, beta=-0.5), lambda x: 2 * x - 0.5),
        "softmax_channels": (lambda x: mb.softmax(x=x, axis=1), lambda x: softmax(x, 1)),
        "softmax_last": (lambda x: mb.softmax(x=x, axis=-1), lambda x: softmax(x, -1)),
    }
    exact = x.copy()
    exact[0, 0, 0, 0] = 1.0  # thresholded_relu keeps x = alpha
    for name, (build, expected) in forms.items():
        case("softmax" if name.startswith("softmax_") else "activation", name, {"x": exact}, build, expected)


def elementwise():
    x, y = floats(2, 3, 4, low=-3, high=3), floats(3, 1, low=0.5, high=2)
    positive = floats(2, 5, low=0.1, high=4)
    unit = floats(2, 5, low=-0.9, high=0.9)
    binary = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.divide, "maximum": np.maximum,
              "minimum": np.minimum, "floor_div": lambda a, b: np.floor(a / b), "mod": np.mod}
    for name, expected in binary.items():
        case("elementwise", name, {"x": x, "y": y}, lambda x, y, name=name: getattr(mb, name)(x=x, y=y), expected)
    case("elementwise", "pow", {"x": positive, "y": floats(5, low=-2, high=2)}, lambda x, y: mb.pow(x=x, y=y), np.power)
    i, j = random.randint(-9, 9, (2, 4)).astype(np.int32), np.array([3, -2, 5, -4], np.int32)
    case("elementwise", "floor_div_int", {"x": i, "y": j}, lambda x, y: mb.floor_div(x=x, y=y), np.floor_divide)
    case("elementwise", "mod_int", {"x": i, "y": j}, lambda x, y: mb.mod(x=x, y=y), np.mod)
    comparisons = {"equal": np.equal, "not_equal": np.not_equal, "greater": np.greater, "greater_equal": np.greater_equal,
                   "less": np.less, "less_equal": np.less_equal}
    u, v = random.randint(0, 3, (3, 4)).astype(np.float32), random.randint(0, 3, (4,)).astype(np.float32)
    for name, expected in comparisons.items():
        case("elementwise", name, {"x": u, "y": v},
             lambda x, y, name=name: mb.cast(x=getattr(mb, name)(x=x, y=y), dtype="int32"), lambda x, y, e=expected: e(x, y).astype(np.int32))
    case("elementwise", "logic", {"x": u, "y": v},
         lambda x, y: mb.cast(x=mb.logical_or(x=mb.logical_and(x=mb.greater(x=x, y=1.0), y=mb.less(x=y, y=2.0)),
                                              y=mb.logical_not(x=mb.logical_xor(x=mb.equal(x=x, y=y), y=mb.equal(x=x, y=0.0)))),
                              dtype="int32"),
         lambda x, y: (((x > 1) & (y < 2)) | ~((x == y) ^ (x == 0))).astype(np.int32))
    unary = {"abs": (x, np.abs), "ceil": (x, np.ceil), "floor": (x, np.floor), "cos": (x, np.cos), "sin": (x, np.sin), "tan": (unit, np.tan),
             "exp": (x, np.exp), "exp2": (x, np.exp2), "sqrt": (positive, np.sqrt), "square": (x, np.square), "sign": (x, np.sign),
             "erf": (x, np.vectorize(math.erf)), "acos": (unit, np.arccos), "asin": (unit, np.arcsin), "atan": (x, np.arctan),
             "atanh": (unit, np.arctanh), "cosh": (x, np.cosh), "sinh": (x, np.sinh),
             "round": (np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 0.7], np.float32), np.round)}
    for name, (argument, expected) in unary.items():
        case("elementwise", name, {"x": argument}, lambda x, name=name: getattr(mb, name)(x=x), expected)
    case("elementwise", "inverse", {"x": positive}, lambda x: mb.inverse(x=x, epsilon=0.25), lambda x: 1 / (x + 0.25))
    case("elementwise", "log", {"x": positive}, lambda x: mb.log(x=x, epsilon=0.5), lambda x: np.log(x + 0.5))
    case("elementwise", "rsqrt", {"x": positive}, lambda x: mb.rsqrt(x=x, epsilon=0.5), lambda x: 1 / np.sqrt(x + 0.5))
    case("elementwise", "clip", {"x": x}, lambda x: mb.clip(x=x, alpha=-0.5, beta=1.25), lambda x: np.clip(x, -0.5, 1.25))
    case("elementwise", "threshold", {"x": x}, lambda x: mb.threshold(x=x, alpha=0.25), lambda x: np.maximum(x, 0.25))
    case("elementwise", "select", {"x": x, "y": y},
         lambda x, y: mb.select(cond=mb.greater(x=x, y=0.0), a=x, b=y), lambda x, y: np.where(x > 0, x, y))


def products():
    weight, bias = floats(5, 4), floats(5)
    for name, shape in {"linear_vector": (4,), "linear_matrix": (3, 4), "linear_batch": (2, 3, 4)}.items():
        case("gemm", name, {"x": floats(*shape)}, lambda x: mb.linear(x=x, weight=weight, bias=bias), lambda x: x @ weight.T + bias)
    case("gemm", "linear_no_bias", {"x": floats(3, 4)}, lambda x: mb.linear(x=x, weight=weight), lambda x: x @ weight.T)
    case("gemm", "matmul_broadcast", {"x": floats(2, 1, 3, 4), "y": floats(5, 4, 2)}, lambda x, y: mb.matmul(x=x, y=y), np.matmul)
    case("gemm", "matmul_transposed", {"x": floats(2, 4, 3), "y": floats(2, 5, 4)},
         lambda x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True), lambda x, y: x.swapaxes(1, 2) @ y.swapaxes(1, 2))
    case("gemm", "einsum", {"x": floats(2, 3, 4, 5), "y": floats(2, 5, 4, 6)},
         lambda x, y: mb.einsum(values=(x, y), equation="nchw,nwhu->nchu"), lambda x, y: np.einsum("nchw,nwhu->nchu", x, y))


def normalizations():
    x = floats(2, 3, 4, 5)
    mean, variance, gamma, beta = floats(3), floats(3, low=0.2, high=2), floats(3), floats(3)
    column = lambda v: v.reshape(1, -1, 1, 1)
    case("normalization", "batch_norm", {"x": x},
         lambda x: mb.batch_norm(x=x, mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=0.01),
         lambda x: column(gamma) * (x - column(mean)) / np.sqrt(column(variance) + 0.01) + column(beta))
    case("normalization", "batch_norm_plain", {"x": x}, lambda x: mb.batch_norm(x=x, mean=mean, variance=variance),
         lambda x: (x - column(mean)) / np.sqrt(column(variance) + 1e-5))
    case("normalization", "instance_norm", {"x": x}, lambda x: mb.instance_norm(x=x, gamma=gamma, beta=beta, epsilon=0.02),
         lambda x: column(gamma) * (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 0.02) + column(beta))
    g, b = floats(4, 5), floats(4, 5)
    case("normalization", "layer_norm", {"x": x}, lambda x: mb.layer_norm(x=x, axes=[2, 3], gamma=g, beta=b, epsilon=0.03),
         lambda x: g * (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 0.03) + b)
    case("normalization", "layer_norm_inner_axis", {"x": x}, lambda x: mb.layer_norm(x=x, axes=[1], gamma=gamma, beta=beta),
         lambda x: column(gamma) * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) + column(beta))
    case("normalization", "l2_norm", {"x": x}, lambda x: mb.l2_norm(x=x, epsilon=0.5),
         lambda x: x / np.sqrt((x ** 2).sum((1, 2, 3), keepdims=True) + 0.5))
    wide = floats(1, 7, 2, 3)
    def response(x):
        sums = np.stack([(x[:, max(0, c - 1):c + 2] ** 2).sum(1) for c in range(7)], 1)
        return x / (1.5 + 0.3 / 3 * sums) ** 0.6
    case("normalization", "local_response_norm", {"x": wide},
         lambda x: mb.local_response_norm(x=x, size=3, alpha=0.3, beta=0.6, k=1.5), response)


def reductions():
    x = floats(2, 3, 4, low=0.1, high=1)
    forms = {"reduce_mean": np.mean, "reduce_sum": np.sum, "reduce_max": np.max, "reduce_min": np.min, "reduce_prod": np.prod,
             "reduce_l1_norm": lambda v, axis, keepdims: np.abs(v).sum(axis, keepdims=keepdims),
             "reduce_l2_norm": lambda v, axis, keepdims: np.sqrt((v ** 2).sum(axis, keepdims=keepdims)),
             "reduce_sum_square": lambda v, axis, keepdims: (v ** 2).sum(axis, keepdims=keepdims),
             "reduce_log_sum": lambda v, axis, keepdims: np.log(v.sum(axis, keepdims=keepdims)),
             "reduce_log_sum_exp": lambda v, axis, keepdims: np.log(np.exp(v).sum(axis, keepdims=keepdims))}
    for name, expected in forms.items():
        case("reduce", name, {"x": x}, lambda x, name=name: getattr(mb, name)(x=x, axes=[0, -1], keep_dims=False),
             lambda x, e=expected: e(x, axis=(0, 2), keepdims=False))
    case("reduce", "reduce_mean_kept", {"x": x}, lambda x: mb.reduce_mean(x=x, axes=[1], keep_dims=True), lambda x: x.mean(1, keepdims=True))
    case("reduce", "reduce_argmax", {"x": x}, lambda x: mb.reduce_argmax(x=x, axis=1, keep_dims=True), lambda x: x.argmax(1)[:, None].astype(np.int32))
    case("reduce", "reduce_argmin", {"x": x}, lambda x: mb.reduce_argmin(x=x, axis=-1, keep_dims=False), lambda x: x.argmin(-1).astype(np.int32))
    case("reduce", "cumsum", {"x": x}, lambda x: mb.cumsum(x=x, axis=2, reverse=True, exclusive=True),
         lambda x: np.cumsum(x[..., ::-1], 2)[..., ::-1] - x)


def movements():
    x = floats(2, 8, 4, 6)
    case("reshape", "reshape", {"x": x}, lambda x: mb.reshape(x=x, shape=[0, 4, -1, 6]), lambda x: x.reshape(2, 4, 8, 6))
    case("reshape", "transpose", {"x": x}, lambda x: mb.transpose(x=x, perm=[0, 3, 1, -2]), lambda x: x.transpose(0, 3, 1, 2))
    case("reshape", "expand_squeeze", {"x": floats(2, 3, 4)}, lambda x: mb.squeeze(x=mb.expand_dims(x=x, axes=[0, -1]), axes=[0]), lambda x: x[..., None])
    case("reshape", "concat", {"x": x, "y": floats(2, 3, 4, 6)}, lambda x, y: mb.concat(values=(x, y), axis=-3), lambda x, y: np.concatenate([x, y], 1))
    case("reshape", "stack", {"x": x, "y": floats(2, 8, 4, 6)}, lambda x, y: mb.stack(values=(x, y), axis=1), lambda x, y: np.stack([x, y], 1))
    case("reshape", "flatten2d", {"x": x}, lambda x: mb.flatten2d(x=x, axis=-2), lambda x: x.reshape(16, 24))
    case("reshape", "tile", {"x": floats(2, 3)}, lambda x: mb.tile(x=x, reps=[2, 3]), lambda x: np.tile(x, (2, 3)))
    case("reshape", "pixel_shuffle", {"x": x}, lambda x: mb.pixel_shuffle(x=x, upscale_factor=2),
         lambda x: x.reshape(2, 2, 2, 2, 4, 6).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 8, 12))
    case("reshape", "depth_to_space", {"x": x}, lambda x: mb.depth_to_space(x=x, block_size=2),
         lambda x: x.reshape(2, 2, 2, 2, 4, 6).transpose(0, 3, 4, 1, 5, 2).reshape(2, 2, 8, 12))
    case("reshape", "space_to_depth", {"x": x}, lambda x: mb.space_to_depth(x=x, block_size=2),
         lambda x: x.reshape(2, 8, 2, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(2, 32, 2, 3))
    case("slice", "slice_by_index", {"x": x},
         lambda x: mb.slice_by_index(x=x, begin=[0, 6, 1, -1], end=[0, 0, -1, 0], stride=[1, -2, 1, 1], begin_mask=[True, False, False, False],
                                     end_mask=[True, True, False, False], squeeze_mask=[False, False, False, True]),
         lambda x: x[:, 6::-2, 1:-1, -1])
    case("slice", "slice_by_size", {"x": x}, lambda x: mb.slice_by_size(x=x, begin=[0, 2, 1, 0], size=[2, 3, 2, 5]), lambda x: x[:, 2:5, 1:3, :5])
    case("slice", "split_sizes", {"x": x}, lambda x: tuple(mb.split(x=x, split_sizes=[3, 5], axis=1)), lambda x: (x[:, :3], x[:, 3:]))
    case("slice", "split_even", {"x": x}, lambda x: tuple(mb.split(x=x, num_splits=2, axis=-1)), lambda x: (x[..., :3], x[..., 3:]))
    case("slice", "pad_constant", {"x": x}, lambda x: mb.pad(x=x, pad=[1, 2, 3, 0], mode="constant", constant_val=0.5),
         lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), constant_values=0.5))
    case("slice", "pad_reflect", {"x": x}, lambda x: mb.pad(x=x, pad=[1, 2, 3, 0], mode="reflect"),
         lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), mode="reflect"))
    case("slice", "pad_replicate", {"x": x}, lambda x: mb.pad(x=x, pad=[1, 2, 3, 0], mode="replicate"),
         lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), mode="edge"))
    case("slice", "reverse", {"x": x}, lambda x: mb.reverse(x=x, axes=[1, 3]), lambda x: x[:, ::-1, :, ::-1])
    case("slice", "crop", {"x": x}, lambda x: mb.crop(x=x, crop_height=[1, 1], crop_width=[2, 0]), lambda x: x[:, :, 1:-1, 2:])
    rows = random.randint(0, 8, (2, 3)).astype(np.int32)
    case("gather", "gather", {"x": x, "i": rows}, lambda x, i: mb.gather(x=x, indices=i, axis=1), lambda x, i: np.take(x, i, 1))
    flat, places = floats(3, 4), random.randint(0, 3, (2, 4)).astype(np.int32)
    case("gather", "gather_along_axis", {"x": flat, "i": places}, lambda x, i: mb.gather_along_axis(x=x, indices=i, axis=0),
         lambda x, i: np.take_along_axis(x, i, 0))
    pairs = np.array([[0, 1], [2, 3]], np.int32)
    case("gather", "gather_nd", {"x": flat, "i": pairs}, lambda x, i: mb.gather_nd(x=x, indices=i), lambda x, i: x[i[:, 0], i[:, 1]])
    case("gather", "topk", {"x": flat}, lambda x: tuple(mb.topk(x=x, k=2, axis=1, ascending=True)),
         lambda x: (np.sort(x, 1)[:, :2], np.argsort(x, 1)[:, :2].astype(np.int32)))
    case("gather", "one_hot", {"i": places}, lambda i: mb.one_hot(indices=i, one_hot_vector_size=3, axis=1, on_value=2.0, off_value=-1.0),
         lambda i: np.where(np.arange(3)[None, :, None] == i[:, None], 2.0, -1.0))
    def scattered(x, i):
        result = x.copy()
        result[i[:, 0], i[:, 1]] += np.array([10.0, 20.0])
        return result
    case("gather", "scatter_nd", {"x": flat, "i": pairs},
         lambda x, i: mb.scatter_nd(data=x, indices=i, updates=np.array([10, 20], np.float32), mode="add"), scattered)


    case("reshape", "concat_interleaved", {"x": flat, "y": floats(3, 4)}, lambda x, y: mb.concat(values=(x, y), axis=0, interleave=True),
         lambda x, y: np.stack([x, y], 1).reshape(6, 4))
    case("reshape", "pixel_unshuffle", {"x": x}, lambda x: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
         lambda x: x.reshape(2, 8, 2, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 32, 2, 3), target=ct.target.iOS16)
    case("reshape", "fill_like", {"x": x}, lambda x: mb.add(x=x, y=mb.fill_like(ref_tensor=x, value=2.5)), lambda x: x + 2.5,
         target=ct.target.iOS16)
    square = floats(2, 4, 5)
    case("slice", "band_part", {"x": square}, lambda x: mb.band_part(x=x, lower=1, upper=0), lambda x: np.triu(np.tril(x, 0), -1))
    case("slice", "band_part_upper", {"x": square}, lambda x: mb.band_part(x=x, lower=0, upper=-1), lambda x: np.triu(x))
    lengths = np.array([2, 3, 1], np.int32)
    case("slice", "reverse_sequence", {"x": flat, "n": lengths}, lambda x, n: mb.reverse_sequence(x=x, lengths=n, seq_axis=1, batch_axis=0),
         lambda x, n: np.stack([np.concatenate([row[:k][::-1], row[k:]]) for row, k in zip(x, n)]))
    case("gather", "argsort", {"x": flat}, lambda x: mb.argsort(x=x, axis=1, ascending=True), lambda x: np.argsort(x, 1).astype(np.int32))
    spots = np.array([[0, 2, 0], [1, 0, 0]], np.float32)
    case("gather", "non_zero", {"x": spots}, lambda x: mb.non_zero(x=x), lambda x: np.argwhere(x).astype(np.int32))


def resizes():
    x = floats(1, 2, 4, 3)
    asymmetric = lambda i, old, new: i * old / new
    aligned = lambda i, old, new: i * (old - 1) / (new - 1)
    half_pixel = lambda i, old, new: (i + 0.5) * old / new - 0.5
    case("resize", "upsample_nearest", {"x": x}, lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
         lambda x: x.repeat(2, 2).repeat(3, 3))
    case("resize", "resize_nearest", {"x": x}, lambda x: mb.resize_nearest_neighbor(x=x, target_size_height=8, target_size_width=9),
         lambda x: x.repeat(2, 2).repeat(3, 3))
    case("resize", "upsample_bilinear_aligned", {"x": x}, lambda x: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=2, align_corners=True),
         lambda x: bilinear(x, 8, 6, aligned))
    case("resize", "upsample_bilinear", {"x": x}, lambda x: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=2, align_corners=False),
         lambda x: bilinear(x, 8, 6, half_pixel))
    for mode, position in {"STRICT_ALIGN_CORNERS": aligned, "ALIGN_CORNERS": aligned, "DEFAULT": asymmetric, "UNALIGN_CORNERS": half_pixel}.items():
        case("resize", "resize_bilinear_" + mode.lower(), {"x": x},
             lambda x, mode=mode: mb.resize_bilinear(x=x, target_size_height=7, target_size_width=5, sampling_mode=mode),
             lambda x, position=position: bilinear(x, 7, 5, position))
    case("resize", "resize_to_shape", {"x": x},
         lambda x: mb.resize(x=x, shape=[8, 0], resized_dims=np.uint32(2), sampling_mode="UNALIGN_CORNERS"),
         lambda x: bilinear(x, 8, 3, half_pixel), target=ct.target.iOS17)


def halves():
    """fp16 programs: every op's result is rounded to fp16, and nothing else is lost."""
    x, w = floats(1, 3, 6, 6), floats(4, 3, 3, 3)
    case("half", "half_conv_relu", {"x": x}, lambda x: mb.relu(x=mb.conv(x=x, weight=w, pad_type="valid")),
         lambda x: np.maximum(half(conv(half(x), half(w))), 0), half=True)
    big = np.array([[300.0, 1.0, 1e-4]], np.float32)
    # 300 x 300 overflows fp16, 1e-4 x 1e-4 underflows it.
    case("half", "half_range", {"x": big}, lambda x: mb.mul(x=x, y=x), lambda x: half(half(x) * half(x)), half=True)


def networks():
    """A small net of MTCNN's ops, and one value as several outputs."""
    x = floats(1, 3, 12, 14)
    w1, b1, a1 = floats(10, 3, 3, 3), floats(10), floats(10, low=0.1, high=0.4)
    w2, b2 = floats(2, 10, 1, 1), floats(2)
    def build(x):
        y = mb.prelu(x=mb.conv(x=x, weight=w1, bias=b1, pad_type="valid"), alpha=a1)
        y = mb.max_pool(x=y, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid", ceil_mode=True)
        scores = mb.conv(x=y, weight=w2, bias=b2, pad_type="valid")
        return mb.softmax(x=scores, axis=1), scores, y
    def expected(x):
        y = conv(x, w1, b1)
        y = np.where(y > 0, y, a1.reshape(1, -1, 1, 1) * y)
        y = pool(y, [2, 2], [2, 2], [0] * 4, "max")
        scores = conv(y, w2, b2)
        return softmax(scores, 1), scores, y
    case("network", "detector", {"x": x}, build, expected, dynamic=(("x", 2), ("x", 3)))
    case("network", "input_as_output", {"x": x}, lambda x: mb.identity(x=x), lambda x: x)


for family in (convolutions, pools, activations, elementwise, products, normalizations, reductions, movements, resizes, halves, networks):
    family()
with open(os.path.join(sys.argv[1], "cases.json"), "w", encoding="ascii") as file:
    json.dump(cases, file)
