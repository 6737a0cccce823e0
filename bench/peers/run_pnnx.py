"""pnnx: ONNX to NCNN, fp32 weights as ours."""

import importlib.metadata
import os

from peer import run


def convert(model, folder):
    program = str(importlib.metadata.distribution("pnnx").locate_file("pnnx/pnnx"))
    os.chmod(program, 0o755)
    os.execv(program, ["pnnx", str(model), "fp16=0"])


run(["pnnx"], convert)
