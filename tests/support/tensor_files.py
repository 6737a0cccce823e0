"""Tensors as files of raw little-endian bytes, listed in index.json."""
import json
import os

import torch


class Writer:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def tensor(self, name, tensor):
        path = f"tensor{self.count}.bin"
        self.count += 1
        plain = tensor.detach().contiguous().clone()
        raw = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
        with open(os.path.join(self.folder, path), "wb") as file:
            file.write(raw.numpy().tobytes())
        return {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape), "file": path}

    def index(self, content):
        with open(os.path.join(self.folder, "index.json"), "w") as file:
            json.dump(content, file)
