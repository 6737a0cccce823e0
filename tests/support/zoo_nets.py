"""What PyTorch says about the zoo's architectures: state dicts and the outputs that torchvision's and timm's own networks give.

  zoo_nets.py OUT NET...     NET: "torchvision/resnet18", "timm/mobilenetv2_100", "lite"

The weights are random; the statistics of every BatchNorm are those of the data that reaches it, so that no layer blows up or dies.
OUT/index.json lists for each net its checkpoint (.pth; of lite also .npz), its input and its output: tensors are files of raw little-endian bytes.
"""
import copy
import os
import sys

import numpy
import torch

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tensor_files import Writer  # noqa: E402

SIZES = {"lite": 320}
CLASSES = 17


class ConvBnRelu6(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kernel, stride, groups=1):
        super().__init__()
        self.conv = torch.nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = torch.nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return torch.nn.functional.relu6(self.bn(self.conv(x)))


class Lite(torch.nn.Module):
    """docs/zoo.md's definition of `lite`."""

    def __init__(self, classes):
        super().__init__()
        self.stem = ConvBnRelu6(3, 16, 3, 2)
        self.blocks = torch.nn.ModuleList()
        for channels in (16, 32, 64, 128):
            block = torch.nn.Module()
            block.dw = ConvBnRelu6(channels, channels, 3, 2, groups=channels)
            block.pw = ConvBnRelu6(channels, channels * 2, 1, 1)
            self.blocks.append(block)
        self.head = torch.nn.Linear(256, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block.pw(block.dw(x))
        return self.head(x.mean((2, 3)))


def build(name):
    if name == "lite":
        return Lite(10)
    library, net = name.split("/")
    if library == "timm":
        sys.path.insert(0, os.environ["SLIPWAY_TIMM"])
        import timm
        return timm.create_model(net, pretrained=False, num_classes=CLASSES)
    import torchvision
    return getattr(torchvision.models, net)(num_classes=CLASSES)


def condition(model, size):
    """Random scales and shifts, then every BatchNorm's statistics from the data that reaches it."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.7, 1.3)
        torch.nn.init.uniform_(norm.bias, -0.2, 0.4)
    for name, norm in model.named_modules():
        # The last of a residual branch, as trained networks have it: a deep sum that does not amplify rounding.
        if isinstance(norm, torch.nn.BatchNorm2d) and name.startswith("layer") and (name.endswith("bn3") or name.endswith("bn2")):
            torch.nn.init.uniform_(norm.weight, 0.2, 0.5)
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            torch.nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.uniform_(module.bias, -0.1, 0.1)
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "p") and type(module).__name__ in ("StochasticDepth", "DropPath"):
            module.p = 0.0
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(torch.randn(4, 3, size, size))
    model.eval()


def main(out, *names):
    writer = Writer(out)
    runs = []
    for seed, name in enumerate(names):
        torch.manual_seed(seed)
        model = build(name)
        size = SIZES.get(name, 96)
        condition(model, size)
        images = [torch.randn(1, 3, size, size) for _ in range(2)]
        with torch.no_grad():
            exact = copy.deepcopy(model).double()
            logits = [exact(image.double()).float() for image in images]
        checkpoint = f"net{seed}.pth"
        torch.save({"state_dict": model.state_dict(), "epoch": 1}, os.path.join(out, checkpoint))
        if name == "lite":
            numpy.savez(os.path.join(out, f"net{seed}.npz"), **{key: value.numpy() for key, value in model.state_dict().items()})
        runs.append({"net": name, "checkpoint": checkpoint, "size": size, "inputs": [writer.tensor("image", image) for image in images],
                     "outputs": [writer.tensor("logits", one) for one in logits]})
    writer.index(runs)


main(*sys.argv[1:])
