#!/usr/bin/env python3
"""Reads every #include of the project against the table of allowed ones (docs/architecture.md). Exit 1 and a line a breach."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders that its files may include (besides itself and the folders beneath it that have no row of their own)
TARGET = ["common", "convert/ir", "convert/passes", "convert/quantize", "convert/onnx_form", "convert/targets/target.h"]
READERS = ["convert/targets/coreml/reader", "convert/targets/tflite/reader", "convert/targets/ncnn/reader"]
CONVERT = ["convert"]
ALLOWED = {
    "common": [],
    "convert/ir": ["common"],
    "convert/onnx_form": ["common", "convert/ir"],
    "convert/evaluate": ["common", "convert/ir"],
    "convert/passes": ["common", "convert/ir", "convert/evaluate"],
    "convert/import": ["common", "convert/ir", "convert/onnx_form", "convert/passes"],
    "convert/capabilities": ["common"],
    "convert/targets": ["common", "convert/ir", "convert/passes"],  # what all targets share
    "convert/targets/onnx": TARGET,
    "convert/targets/tflite": TARGET,
    "convert/targets/coreml": TARGET,
    "convert/targets/ncnn": TARGET,
    "convert/targets/coreml/reader": ["common", "convert/ir", "convert/onnx_form", "convert/targets/coreml/model.pb.h",
                                      "convert/targets/coreml/mil.pb.h"],
    "convert/targets/tflite/reader": ["common", "convert/ir", "convert/targets/tflite/schema_generated.h"],
    "convert/targets/ncnn/reader": ["common", "convert/ir"],
    "convert/runtimes": ["common", "convert/ir", "convert/onnx_form"] + READERS,
    "convert/parity": ["common", "convert/ir", "convert/runtimes", "convert/targets/target.h"] + READERS,
    "convert/inspect": ["common", "convert/ir", "convert/onnx_form", "convert/passes", "convert/import", "convert/capabilities", "convert/targets",
                        "convert/targets/coreml/model.pb.h", "convert/targets/coreml/mil.pb.h"] + READERS,
    "convert/compare": ["common", "convert/ir", "convert/import", "convert/inspect", "convert/parity", "convert/runtimes", "convert/capabilities",
                        "convert/targets/target.h"],
    "worker": ["common"] + CONVERT,
    "client": ["common", "proto"] + CONVERT,
    "coordinator": ["common", "proto", "convert/capabilities"],
    "bench": ["common", "convert", "worker", "client", "coordinator", "proto", "tests/support"],
    "tests": ["common", "convert", "worker", "client", "coordinator", "proto"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def row_of(path):
    """The most specific folder of ALLOWED that holds `path`."""
    return max((row for row in ALLOWED if path == row or path.startswith(row + "/")), key=len, default=None)


def is_allowed(row, included):
    if row_of(included) == row:
        return True
    for allowed in ALLOWED[row]:
        if included == allowed:
            return True
        # A folder that has rows beneath it is allowed with them only where it is named as the whole of convert or tests.
        if included.startswith(allowed + "/") and (row_of(included) in (allowed, None) or allowed == "convert" or allowed == "proto"):
            return True
    return False


def breaches(root):
    count = 0
    found = []
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".h", ".cc")):
        relative = path.relative_to(root).as_posix()
        if relative.startswith(("build", ".")):
            continue
        row = row_of(relative)
        if row is None:
            found.append(f"{relative}: stands in no folder of the table")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            count += 1
            if "/" not in match.group(1):
                found.append(f'{relative}:{number}: "{match.group(1)}" is not written from the project\'s root')
            elif match.group(1).split("/")[0] in {r.split("/")[0] for r in ALLOWED} | {"proto"}:
                if not is_allowed(row, match.group(1)):
                    found.append(f'{relative}:{number}: {row} may not include "{match.group(1)}"')
    return count, found


def main():
    count, found = breaches(ROOT)
    for line in found:
        print(line)
    if count < 100:
        print(f"only {count} includes were seen: the check does not look where the code is")
        return 1
    print(f"{count} includes read, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
