#!/usr/bin/env python3
"""slipway-bench convert: the rows and figures that docs/benchmarks.md promises, with one peer that works, one that fails and two that are absent.

Usage: convert_test.py SLIPWAY-BENCH
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

COST = {"wall_s", "cpu_s", "peak_anon_mb", "peak_mapped_mb"}
# Stands for a peer's interpreter: called as SCRIPT MODEL FOLDER. It burns CPU in a grandchild that it does not wait for.
WORKS = '#!/bin/sh\ntest -s "$2" && test -d "$3" || exit 3\n(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done) &\n'
FAILS = '#!/bin/sh\necho first; echo "no such operator"; exit 7\n'


def make_peer(folder, interpreter):
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(interpreter)
    (folder / "bin" / "python").chmod(0o755)
    (folder / "installed").touch()


def check(condition, message):
    if not condition:
        sys.exit(f"convert_test: {message}")


with tempfile.TemporaryDirectory() as name:
    peers = pathlib.Path(name) / "peers"
    make_peer(peers / "onnx2tf", WORKS)
    make_peer(peers / "pnnx", FAILS)
    (peers / "onnx2coreml").mkdir()
    (peers / "onnx2coreml" / "absent").write_text("ERROR: no wheel\n")
    file = pathlib.Path(name) / "figures.json"
    table = subprocess.run(
        [sys.argv[1], "convert", "mtcnn-pnet", "--repeats", "1", "--scaling", "--peers", str(peers), "--json", str(file)],
        text=True, stdout=subprocess.PIPE, check=True).stdout
    figures = json.loads(file.read_text())

targets = ["onnx", "tflite", "coreml", "ncnn"]
rows = {f"mtcnn-pnet/{target}" for target in targets} | {f"mtcnn-pnet/{target}/export" for target in targets}
rows |= {f"scaling/{target}" for target in targets}
rows |= {f"mtcnn-pnet/{peer}" for peer in ["tflite/onnx2tf", "ncnn/pnnx", "coreml/onnx2coreml", "coreml/coremltools"]}
check(set(figures) == rows, f"rows {sorted(figures)}, not {sorted(rows)}")
check([line.split()[0] for line in table.splitlines()] == sorted(rows), "the table's rows are not the file's")
for row, values in figures.items():
    for figure, value in values.items():
        # Memory is sampled: a conversion may end before its first sample.
        least = 0 if figure.startswith("peak") else 1e-9
        check(figure == "absent" or (math.isfinite(value) and value >= least), f"{row}: {figure} is {value}")
    if row.startswith("scaling/"):
        check(set(values) == {"nodes_1000_s", "nodes_10000_s", "ratio", "cpu_ratio"}, f"{row}: {values}")
    elif row.endswith("/export"):
        check(set(values) == COST, f"{row}: {values}")
    elif row.count("/") == 1:
        check(set(values) == COST | {"artifact_mb", "copy_hash_s", "times_copy_hash", "anon_limit_mb"}, f"{row}: {values}")
        # What the whole command costs includes what the conversion does.
        check(figures[row + "/export"]["cpu_s"] > values["cpu_s"], f"{row}: the whole export takes less CPU than the conversion")
works = figures["mtcnn-pnet/tflite/onnx2tf"]
check(set(works) == COST | {"times_our_cpu", "times_our_wall"}, f"the peer that works: {works}")
check(works["cpu_s"] > 0.01, f"the peer's process in the background is not counted: {works}")
check("no such operator" in figures["mtcnn-pnet/ncnn/pnnx"]["absent"], f"the peer that fails: {figures['mtcnn-pnet/ncnn/pnnx']}")
check(figures["mtcnn-pnet/coreml/onnx2coreml"] == {"absent": "ERROR: no wheel"}, "the reason that a peer is absent")
check("bench/peers.sh" in figures["mtcnn-pnet/coreml/coremltools"]["absent"], "how a peer that was never asked for is installed")
