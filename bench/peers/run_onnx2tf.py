"""onnx2tf: ONNX to TFLite, fp32, by its own flatbuffer writer (its default, far quicker than the one over TensorFlow)."""

import os
import sys
from pathlib import Path

from peer import run


def convert(model, folder):
    command = Path(sys.executable).with_name("onnx2tf")
    os.execv(command, ["onnx2tf", "-i", str(model), "-o", str(folder / "onnx2tf"), "-n"])


run(["onnx2tf"], convert)
