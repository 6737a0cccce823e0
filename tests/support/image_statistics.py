"""The mean and std that torchvision's and timm's published weights expect of their images.

  image_statistics.py OUT NET...     NET: "torchvision/resnet18", "timm/mobilenetv2_100"

OUT/index.json: one entry for each published set of weights of each net, in all: {"net", "weights", "mean", "std"}.
"""
import json
import os
import sys

sys.dont_write_bytecode = True


def of_timm(net):
    sys.path.insert(0, os.environ["SLIPWAY_TIMM"])
    from timm.models import get_pretrained_cfg, list_pretrained
    names = [name for name in list_pretrained(net + "*") if name.split(".")[0] == net]
    return [(name, get_pretrained_cfg(name)) for name in names]


def of_torchvision(net):
    from torchvision.models import get_model_weights
    return [(str(weights), weights.transforms()) for weights in get_model_weights(net)]


def main(out, *nets):
    entries = []
    for net in nets:
        library, name = net.split("/")
        for weights, told in {"timm": of_timm, "torchvision": of_torchvision}[library](name):
            entries.append({"net": net, "weights": weights, "mean": list(told.mean), "std": list(told.std)})
    with open(os.path.join(out, "index.json"), "w") as index:
        json.dump(entries, index)


main(*sys.argv[1:])
