"""What ONNX's own checker says of models: check_onnx.py OUT FILE...; OUT/index.json: {"invalid": {file: why}}."""
import json
import os
import sys

import onnx

invalid = {}
for path in sys.argv[2:]:
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:  # noqa: BLE001: whatever it is, the model is not valid
        invalid[os.path.basename(path)] = str(error).split("\n")[0]
with open(os.path.join(sys.argv[1], "index.json"), "w") as file:
    json.dump({"invalid": invalid}, file)
