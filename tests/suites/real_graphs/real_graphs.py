"""Real networks as PyTorch's exporters write them, for the suite in this folder.

  real_graphs.py torchscript OUT   the TorchScript exporter: every net at opsets 11, 13 and 17 (any torch)
  real_graphs.py dynamo OUT        the exporter on torch.export (torch 2.5 or newer, with onnx and onnxscript)

Weights are random but well-conditioned: every layer's outputs are scaled to a spread of 1 on seeded smooth images, BatchNorm's statistics are
those of the same images, and the logits differ from image to image. OUT/index.json lists the files. A folder whose index names this very
script and the same torch is left as it is.
"""
import contextlib
import hashlib
import io
import json
import logging
import os
import shutil
import sys
import types
import warnings
import zlib

import torch
from torch import nn
from torch.nn import functional as F

# Compiled operators (nms and the like) of torchvision's wheel need CUDA's libraries; no net here uses one.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
warnings.filterwarnings("ignore")
from torchvision import models  # noqa: E402
from torchvision.models.convnext import CNBlockConfig, ConvNeXt  # noqa: E402


def conv_block(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class UNet(nn.Module):
    """Three levels down by max pooling, up once by transposed convolution and twice by bilinear resizing, with skips."""

    def __init__(self):
        super().__init__()
        widths = (16, 32, 64, 96)
        self.down = nn.ModuleList(nn.Sequential(conv_block(i, o), conv_block(o, o)) for i, o in zip((3,) + widths, widths))
        self.up = nn.ConvTranspose2d(96, 64, 2, 2)
        self.join = nn.ModuleList(nn.Sequential(conv_block(i, o), conv_block(o, o)) for i, o in ((128, 64), (96, 32), (48, 16)))
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        x = self.join[0](torch.cat([self.up(x), skips[2]], 1))
        for level, block in ((1, self.join[1]), (0, self.join[2])):
            up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=level == 0)
            x = block(torch.cat([up, skips[level]], 1))
        return self.head(x)


class Detector(nn.Module):
    """One stage, two scales: SiLU backbone with pooled context, a nearest-neighbour path down, heads decoded to boxes and class scores."""

    anchors, classes = ((10.0, 14.0), (24.0, 18.0), (40.0, 52.0)), 5

    def __init__(self, size):
        super().__init__()
        block = lambda i, o, s=1: nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.SiLU())
        self.stem = nn.Sequential(block(3, 16, 2), block(16, 32, 2), block(32, 48, 2))
        self.deep = nn.Sequential(block(48, 64, 2), block(64, 64))
        self.context = nn.Conv2d(64 * 3, 64, 1)
        self.lateral = nn.Conv2d(64, 48, 1)
        self.merge = block(96, 48)
        outputs = len(self.anchors) * (5 + self.classes)
        self.heads = nn.ModuleList([nn.Conv2d(48, outputs, 1), nn.Conv2d(64, outputs, 1)])
        for i, stride in enumerate((8, 16)):
            cells = torch.arange(size // stride, dtype=torch.float32)
            y, x = torch.meshgrid(cells, cells, indexing="ij")
            self.register_buffer(f"grid{i}", torch.stack((x, y), -1)[None, None])
        self.register_buffer("sizes", torch.tensor(self.anchors).view(1, 3, 1, 1, 2))

    def decode(self, raw, grid, stride):
        n, _, h, w = raw.shape
        raw = raw.view(n, 3, 5 + self.classes, h, w).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
        xy = (raw[..., 0:2] * 2 - 0.5 + grid) * stride
        wh = (raw[..., 2:4] * 2) ** 2 * self.sizes
        return torch.cat((xy, wh), -1).reshape(n, -1, 4), raw[..., 4:].reshape(n, -1, 1 + self.classes)

    def forward(self, x):
        fine = self.stem(x)
        deep = self.deep(fine)
        pooled = F.max_pool2d(deep, 5, 1, 2)
        deep = self.context(torch.cat((deep, pooled, F.max_pool2d(pooled, 5, 1, 2)), 1))
        fine = self.merge(torch.cat((F.interpolate(self.lateral(deep), scale_factor=2.0, mode="nearest"), fine), 1))
        decoded = [self.decode(self.heads[0](fine), self.grid0, 8), self.decode(self.heads[1](deep), self.grid1, 16)]
        return torch.cat([boxes for boxes, _ in decoded], 1), torch.cat([scores for _, scores in decoded], 1)


class SuperResolution(nn.Module):
    """Residual blocks with PReLU at the image's own size, then a pixel shuffle, added to the enlarged image. Height and width are dynamic."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 24, 3, padding=1)
        self.body = nn.ModuleList(nn.Sequential(nn.Conv2d(24, 24, 3, padding=1), nn.PReLU(24), nn.Conv2d(24, 24, 3, padding=1)) for _ in range(3))
        self.tail = nn.Conv2d(24, 12, 3, padding=1)

    def forward(self, x):
        y = self.head(x)
        for block in self.body:
            y = y + block(y)
        return F.pixel_shuffle(self.tail(y), 2) + F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


class GroupNormalized(nn.Module):
    """Group and instance normalisation between convolutions, a softmax at the end."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.GroupNorm(8, 32), nn.SiLU())
        self.body = nn.Sequential(nn.Conv2d(32, 48, 3, 2, 1), nn.InstanceNorm2d(48, affine=True), nn.LeakyReLU(0.1))
        self.head = nn.Linear(48 * 16, 10)

    def forward(self, x):
        return F.softmax(self.head(torch.flatten(F.adaptive_avg_pool2d(self.body(self.stem(x)), 4), 1)), -1)


class Segmentation(nn.Module):
    """torchvision's LR-ASPP, its output of full size alone."""

    def __init__(self):
        super().__init__()
        self.net = models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)

    def forward(self, x):
        return self.net(x)["out"]


def convnext_narrow():
    return ConvNeXt([CNBlockConfig(24, 48, 3), CNBlockConfig(48, 96, 3), CNBlockConfig(96, 192, 5), CNBlockConfig(192, None, 3)], num_classes=100)


# Name, constructor, image size.
NETS = (
    ("resnet18", models.resnet18, 64),
    ("mobilenet_v2", models.mobilenet_v2, 64),
    ("mobilenet_v3_small", models.mobilenet_v3_small, 64),
    ("mobilenet_v3_large", models.mobilenet_v3_large, 64),
    ("efficientnet_b0", models.efficientnet_b0, 64),
    ("shufflenet_v2", models.shufflenet_v2_x1_0, 64),
    ("mnasnet", models.mnasnet0_5, 64),
    ("regnet_y_400mf", models.regnet_y_400mf, 64),
    ("densenet121", models.densenet121, 64),
    ("squeezenet", models.squeezenet1_1, 64),
    ("convnext", convnext_narrow, 64),
    ("googlenet", lambda: models.googlenet(weights=None, aux_logits=False, init_weights=False), 64),
    ("unet", UNet, 64),
    ("detector", lambda: Detector(64), 64),
    ("super_resolution", SuperResolution, 32),
    ("group_norm", GroupNormalized, 64),
    ("lraspp", Segmentation, 64),
)
OPSETS = (11, 13, 17)
DYNAMIC_SIZES = ("super_resolution",)


def smooth_images(count, size):
    coarse = F.interpolate(torch.randn(count, 3, 6, 6), size=(size, size), mode="bilinear", align_corners=False)
    return (0.8 * coarse + 0.1 * torch.randn(count, 3, size, size)).clamp(-1, 1)


def condition(net, size):
    """Scales every layer to outputs of spread 1, takes BatchNorm's statistics from data, spreads and centres the logits."""
    def scale(layer, _, output):
        spread = output.std().clamp(min=1e-3)
        layer.weight.div_(spread)
        if layer.bias is not None:
            layer.bias.div_(spread)
        return output / spread

    net.eval()
    hooks = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.05)
            hooks.append(module.register_forward_hook(scale))
        elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.6, 1.4)
            nn.init.normal_(module.bias, std=0.2)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                module.train()
        for name, parameter in module.named_parameters(recurse=False):
            if name == "layer_scale":
                nn.init.uniform_(parameter, 0.3, 0.8)
    images = smooth_images(24, size)
    net(images)
    for hook in hooks:
        hook.remove()
    net.eval()
    logits = net(images)
    last = [m for m in net.modules() if isinstance(m, nn.Linear)]
    if last and torch.is_tensor(logits):
        last[-1].bias.sub_(logits.mean(0))
        spread = logits.std(0).clamp(min=1e-3)
        last[-1].weight.div_(spread[:, None])
        last[-1].bias.div_(spread)


def build(name, constructor, size):
    torch.manual_seed(zlib.crc32(name.encode()))
    net = constructor()
    with torch.no_grad():
        condition(net, size)
    outputs = ["boxes", "scores"] if name == "detector" else ["output"]
    return net, smooth_images(2, size), outputs


def quietly(export):
    noise = io.StringIO()
    with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
        export()


def export_torchscript(folder):
    legacy = {} if torch.__version__ < "2" else {"dynamo": False}
    for name, constructor, size in NETS:
        net, image, outputs = build(name, constructor, size)
        axes = {0: "batch", 2: "height", 3: "width"} if name in DYNAMIC_SIZES else {0: "batch"}
        for opset in OPSETS:
            file = f"{name}-torchscript{opset}.onnx"
            with torch.no_grad():
                quietly(lambda: torch.onnx.export(net, image, os.path.join(folder, file), opset_version=opset, input_names=["image"], output_names=outputs,
                                                  dynamic_axes={"image": axes, **{output: {0: "batch"} for output in outputs}}, **legacy))
            yield file, name


def export_dynamo(folder):
    logging.disable(logging.WARNING)
    for name, constructor, size in NETS:
        net, image, outputs = build(name, constructor, size)
        dynamic = {0: torch.export.Dim("batch")}
        if name in DYNAMIC_SIZES:
            dynamic |= {2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
        file = f"{name}-dynamo.onnx"
        with torch.no_grad():
            quietly(lambda: torch.onnx.export(net, (image,), os.path.join(folder, file), dynamo=True, dynamic_shapes=(dynamic,), input_names=["image"],
                                              output_names=outputs))
        yield file, name


def main(exporter, out):
    with open(__file__, "rb") as script:
        made_by = f"{hashlib.sha256(script.read()).hexdigest()} torch {torch.__version__}"
    index = os.path.join(out, "index.json")
    with contextlib.suppress(OSError, ValueError):
        with open(index) as file:
            if json.load(file)["made_by"] == made_by:
                return
    print(f"real_graphs: exporting {len(NETS)} nets with {exporter}", flush=True)
    part = out + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    files = [{"file": file, "net": net} for file, net in {"torchscript": export_torchscript, "dynamo": export_dynamo}[exporter](part)]
    with open(os.path.join(part, "index.json"), "w") as file:
        json.dump({"made_by": made_by, "files": files}, file, indent=1)
    shutil.rmtree(out, ignore_errors=True)
    os.rename(part, out)


main(*sys.argv[1:])
