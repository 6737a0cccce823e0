"""Which models ONNX's own checker and type inference refuse, and onnxruntime too (inference knows no type for the results of some functions):
check_onnx.py OUT FILE... The models' outputs may be of no declared type. OUT/index.json: {"invalid": {file: why}}."""
import json
import os
import sys

import onnx
import onnxruntime

invalid = {}
for path in sys.argv[2:]:
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # noqa: BLE001: whatever it is, the model is not valid
        try:
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception:  # noqa: BLE001
            invalid[os.path.basename(path)] = str(error).split("\n")[0]
with open(os.path.join(sys.argv[1], "index.json"), "w") as file:
    json.dump({"invalid": invalid}, file)
