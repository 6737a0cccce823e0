"""What PyTorch says, for the tests beside this file.

  with_torch.py nets MTCNN OUT         runs facenet-pytorch's own networks (MTCNN/mtcnn.py, MTCNN/*.pt) on seeded images
  with_torch.py checkpoints OUT        saves tensors of every kind in both of torch.save's forms

OUT/index.json says what was written: tensors are files of raw little-endian bytes.
"""
import collections
import importlib.util
import os
import pickle
import sys
import types
import zipfile

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tensor_files import Writer  # noqa: E402


def facenet_module(folder):
    """mtcnn.py as published, without the detector around the networks."""
    for name in ("facenet", "facenet.utils"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    detector = sys.modules["facenet.utils.detect_face"] = types.ModuleType("detect_face")
    detector.detect_face = detector.extract_face = None
    spec = importlib.util.spec_from_file_location("facenet.mtcnn", os.path.join(folder, "mtcnn.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nets(folder, out):
    module = facenet_module(folder)
    writer = Writer(out)
    runs = []
    torch.manual_seed(7)
    for name, net, sizes in (("pnet", module.PNet, [(61, 84), (24, 17)]), ("rnet", module.RNet, [(24, 24)] * 2),
                             ("onet", module.ONet, [(48, 48)] * 2)):
        model = net(pretrained=False)
        model.load_state_dict(torch.load(os.path.join(folder, name + ".pt")))
        model.eval()
        for height, width in sizes:
            image = torch.rand(1, 3, height, width) * 2 - 1
            with torch.no_grad():
                outputs = model(image)
            runs.append({"net": name, "input": writer.tensor("image", image),
                         "outputs": [writer.tensor(str(i), o) for i, o in enumerate(outputs)]})
    writer.index(runs)


class Opens:
    """A pickle that wants to run a command."""

    def __reduce__(self):
        return (os.system, ("true",))


def repack(source, destination, compression, changes):
    """The same archive written by Python's zipfile, some entries (by their last name) replaced or added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(destination, "w", compression) as new:
        folder = old.namelist()[0].split("/")[0]
        for name in old.namelist():
            if name.split("/")[-1] not in changes:
                new.writestr(name, old.read(name))
        for name, content in changes.items():
            new.writestr(f"{folder}/{name}", content)


def checkpoints(out):
    writer = Writer(out)
    torch.manual_seed(3)
    base = torch.arange(120, dtype=torch.float32).reshape(4, 5, 6)
    shared = torch.randn(64)
    tensors = {
        "float32": torch.randn(3, 4), "float64": torch.randn(5, dtype=torch.float64), "float16": torch.randn(7).half(), "bfloat16": torch.randn(2, 3).bfloat16(),
        "int8": torch.randint(-128, 127, (9,), dtype=torch.int8), "int16": torch.randint(-3000, 3000, (4, 2), dtype=torch.int16),
        "int32": torch.randint(-10**9, 10**9, (3,), dtype=torch.int32), "int64": torch.tensor([-1, 2**40]), "uint8": torch.arange(250, 256, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]), "scalar": torch.tensor(1.25), "empty": torch.zeros(0, 3),
        "transposed": base.permute(2, 0, 1), "sliced": base[1:3, ::2, 1:5:3], "broadcast": torch.tensor([[1.0], [2.0]]).expand(2, 5), "offset": base[2],
        "shared.a": shared[:40].view(5, 8), "shared.b": shared[30:], "shared.whole": shared, "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "one_by_one": torch.randn(6, 1, 1, 4).permute(0, 2, 1, 3),
    }
    nested = {"epoch": 3, "best": 0.75, "note": None, "arch": "lite", "flags": [1, 2.5, "x"], "state_dict": collections.OrderedDict(tensors),
              "optimizer": {"state": {0: {"step": torch.tensor(5.0), "exp_avg": torch.randn(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}}
    expected = [("state_dict." + name, tensor) for name, tensor in tensors.items()]
    expected += [("optimizer.state.0.step", nested["optimizer"]["state"][0]["step"]), ("optimizer.state.0.exp_avg", nested["optimizer"]["state"][0]["exp_avg"])]
    index = {"good": {}, "tensors": [writer.tensor(name, tensor) for name, tensor in expected]}
    for form, zipped in (("legacy", False), ("zip", True)):
        for protocol in (2, 3, 4, 5):
            path = f"nested-{form}-{protocol}.pt"
            torch.save(nested, os.path.join(out, path), _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
            index["good"][path] = "torch legacy stream" if form == "legacy" else "torch zip"
        save = lambda value, name: torch.save(value, os.path.join(out, f"{name}-{form}.pt"), _use_new_zipfile_serialization=zipped)
        save({"weight": torch.zeros(2, dtype=torch.complex64)}, "complex")
        save({"weight": torch.quantize_per_tensor(torch.zeros(4), 0.1, 0, torch.qint8)}, "quantised")
        save({"weight": torch.zeros(3), "run": Opens()}, "evil")
        save(torch.nn.Linear(2, 2), "module")
        save({"epoch": 1, "note": "no tensors"}, "empty")
    repack(os.path.join(out, "nested-zip-2.pt"), os.path.join(out, "compressed-zip.pt"), zipfile.ZIP_DEFLATED, {})
    repack(os.path.join(out, "nested-zip-2.pt"), os.path.join(out, "repacked-zip.pt"), zipfile.ZIP_STORED, {})
    repack(os.path.join(out, "nested-zip-2.pt"), os.path.join(out, "big-endian-zip.pt"), zipfile.ZIP_STORED, {"byteorder": b"big"})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with open(os.path.join(out, f"evil-{protocol}.pkl"), "wb") as file:
            pickle.dump({"run": Opens()}, file, protocol)
    torch.jit.script(torch.nn.Linear(2, 2)).save(os.path.join(out, "script.pt"))
    writer.index(index)


{"nets": nets, "checkpoints": checkpoints}[sys.argv[1]](*sys.argv[2:])
