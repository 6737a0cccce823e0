"""onnx2coreml: ONNX to a Core ML program, fp32."""

from peer import run


def convert(model, folder):
    import onnx2coreml

    onnx2coreml.convert(str(model), format="mlpackage", compute_precision="fp32").save(str(folder / "model.mlpackage"))


run(["onnx2coreml", "coremltools"], convert)
