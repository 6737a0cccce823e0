"""What the scripts of the peers share: SCRIPT MODEL.onnx FOLDER converts into the folder; SCRIPT --version tells the versions that count.

Packages are imported where they are used: what an import costs is part of what a conversion costs.
"""

import importlib.metadata
import shutil
import sys
from pathlib import Path


def run(packages, convert):
    """`packages`: names told by --version. `convert(model, folder)`: writes the artifact; the model is a copy, for some peers write to it."""
    if sys.argv[1:] == ["--version"]:
        print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages))
        return
    model, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    copy = folder / model.name
    shutil.copyfile(model, copy)
    convert(copy, folder)
