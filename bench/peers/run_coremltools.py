"""coremltools: a Core ML program, fp32. It reads no ONNX: torchvision's network of the model's name is traced instead, with random weights."""

from peer import run


def convert(model, folder):
    import coremltools
    import torch

    # torchvision's own operators need the torch it was built with; its networks need none of them.
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    network = torchvision.models.get_model(model.stem).eval()
    example = torch.zeros(1, 3, 224, 224)
    traced = torch.jit.trace(network, example)
    coremltools.convert(
        traced, inputs=[coremltools.TensorType(shape=example.shape)], compute_precision=coremltools.precision.FLOAT32
    ).save(str(folder / "model.mlpackage"))


run(["coremltools", "torch", "torchvision"], convert)
