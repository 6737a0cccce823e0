#!/usr/bin/env bash
# Builds Slipway and runs its tests. Sets up what they need first; a second run is incremental.
# Usage: tests/run.sh [--full] [ctest arguments, e.g. -R Parity]
#   --full   also the long suites: the store against Ceph's S3 gateway; graphs of the newest PyTorch's exporter; every mutant in tests/mutants
#            must turn its test red
set -euo pipefail
cd "$(dirname "$0")/.."
full=0
if [ "${1:-}" = --full ]; then full=1; shift; fi
deploy/setup.sh build runtimes mtcnn tests compile
export SLIPWAY_PYTHON=$PWD/.venv/bin/python SLIPWAY_MTCNN=$PWD/.cache/mtcnn SLIPWAY_TORCH_PYTHON=/usr/bin/python3
export SLIPWAY_TIMM=$PWD/.cache/timm SLIPWAY_CHARTS_PYTHON=$PWD/.cache/charts-venv/bin/python
export SLIPWAY_REAL_GRAPHS=$PWD/.cache/real_graphs/torchscript
$SLIPWAY_TORCH_PYTHON tests/suites/real_graphs/real_graphs.py torchscript "$SLIPWAY_REAL_GRAPHS"
ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" "$@"
if [ $# = 0 ]; then
  [ build/fuzz/build.ninja -nt CMakePresets.json ] || cmake --preset fuzz
  cmake --build build/fuzz
  ctest --test-dir build/fuzz --output-on-failure --no-tests=error -j "$(nproc)"
fi
if [ $full = 1 ]; then
  deploy/setup.sh gateway torch
  tests/support/radosgw.py build/bin/store_test
  tests/support/radosgw.py build/bin/client_test --gtest_filter='S3FarmTest.*'
  .cache/torch-venv/bin/python tests/suites/real_graphs/real_graphs.py dynamo .cache/real_graphs/dynamo
  build/bin/real_graph_suite --folder .cache/real_graphs/dynamo
  tests/mutants/run.py
fi
