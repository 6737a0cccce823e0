"""ncnn on the CPU. Configuration: {"fp16": false} (its fp16 options off) or true. Files: the .param, then the .bin.

A blob is 1 to 4 axes of 4-byte elements (8- and 16-bit ones where a layer makes such) and does not say whether they are float or
int32: inputs go in bit by bit, and blobs come back as float32 whose bits are int32 where the model means that.
"""
import os

import numpy as np

from common import HostError, leave, serve


class Complaints:
    """What ncnn prints while it runs: it returns bare error numbers and says the reason on stderr."""

    def __enter__(self):
        self._memory = os.memfd_create("stderr", os.MFD_CLOEXEC)
        self._saved = os.dup(2)
        os.dup2(self._memory, 2)
        return self

    def __exit__(self, *_):
        os.dup2(self._saved, 2)
        os.close(self._saved)
        text = os.pread(self._memory, 4096, 0).decode("utf-8", "replace")
        os.close(self._memory)
        self.text = "; ".join(line.strip() for line in text.splitlines() if line.strip())


class Session:
    def __init__(self, net):
        self._net = net
        self._blobs = {blob.name for blob in net.blobs()}
        # ncnn's files hold neither shapes nor types of blobs.
        self.inputs = [{"name": name, "dtype": "float32", "shape": []} for name in net.input_names()]
        self.outputs = [{"name": name, "dtype": "float32", "shape": []} for name in net.output_names()]

    def run(self, inputs, want):
        import ncnn
        for name in [*inputs, *want]:
            if name not in self._blobs:
                raise HostError("INVALID_ARGUMENT", f"no blob '{name}'")
        missing = [i["name"] for i in self.inputs if i["name"] not in inputs]
        if missing:
            raise HostError("INVALID_ARGUMENT", f"inputs missing: {missing}")
        extractor = self._net.create_extractor()
        extractor.set_light_mode(False)
        results = []
        with Complaints() as complaints:
            failure = None
            for name, tensor in inputs.items():
                if not 1 <= tensor.ndim <= 4 or tensor.dtype.itemsize not in (1, 2, 4):
                    failure = f"input '{name}': a blob cannot be {tensor.dtype} {list(tensor.shape)}"
                    break
                # A clone: channels begin at aligned addresses, and the memory is ncnn's own.
                if extractor.input(name, ncnn.Mat(np.ascontiguousarray(tensor)).clone()) != 0:
                    failure = f"input '{name}' was refused"
                    break
            for name in want if failure is None else ():
                code, blob = extractor.extract(name)
                if code != 0 or blob.empty():
                    failure = f"blob '{name}' could not be computed (error {code})"
                    break
                results.append(np.array(blob.numpy()))
        if failure is not None:
            raise HostError("INVALID_ARGUMENT", f"{failure}: {complaints.text}" if complaints.text else failure)
        return results


class Ncnn:
    name = "ncnn"

    def __init__(self):
        import ncnn
        self._ncnn = ncnn
        self.version = ncnn.__version__

    def load(self, files, configuration):
        param, weights = files
        half = bool(configuration.get("fp16", False))
        net = self._ncnn.Net()
        net.opt.num_threads = 1
        net.opt.lightmode = False
        net.opt.use_vulkan_compute = False
        net.opt.use_fp16_packed = half
        net.opt.use_fp16_storage = half
        net.opt.use_fp16_arithmetic = half
        net.opt.use_bf16_packed = False
        net.opt.use_bf16_storage = False
        with Complaints() as complaints:
            loaded = "weights" if net.load_param(param) == 0 else "param"
            if loaded == "weights" and net.load_model(weights) == 0:
                loaded = "all"
        # ncnn reads on past some mistakes and only prints them (an unknown layer, a truncated .bin).
        if loaded != "all":
            failed = param if loaded == "param" else weights
            raise HostError("INVALID_ARGUMENT", f"{os.path.basename(failed)} was refused: {complaints.text}")
        return Session(net)


if __name__ == "__main__":
    serve("ncnn", Ncnn)
    leave()
