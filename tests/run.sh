#!/usr/bin/env bash
# Builds Slipway and runs its tests. Sets up what they need first; a second run is incremental.
# Usage: tests/run.sh [--full] [ctest arguments, e.g. -R Parity]
#   without ctest arguments also the fuzzers, each for ten seconds
#   --full   also the long suites: the store and a farm against Ceph's S3 gateway; graphs of the newest PyTorch's exporter; every mutant in
#            tests/mutants must turn its test red. Hours. What fails keeps nothing else from running; the last lines name it
set -euo pipefail
cd "$(dirname "$0")/.."
full=0 arguments=()
for argument in "$@"; do
  case $argument in
    --full) full=1 ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) arguments+=("$argument") ;;
  esac
done

failed=()
# part NAME COMMAND...
part() {
  "${@:2}" && return
  [ $full = 1 ] || exit 1
  failed+=("$1")
}
fuzzers() {
  { [ build/fuzz/build.ninja -nt CMakePresets.json ] || cmake --preset fuzz; } &&
    cmake --build build/fuzz && ctest --test-dir build/fuzz --output-on-failure --no-tests=error -j "$(nproc)"
}
newest_graphs() {
  .cache/torch-venv/bin/python tests/suites/real_graphs/real_graphs.py dynamo .cache/real_graphs/dynamo &&
    build/bin/real_graph_suite --folder .cache/real_graphs/dynamo
}

deploy/setup.sh build runtimes mtcnn tests compile
[ $full = 0 ] || deploy/setup.sh gateway torch
export SLIPWAY_PYTHON=$PWD/.venv/bin/python SLIPWAY_MTCNN=$PWD/.cache/mtcnn SLIPWAY_TORCH_PYTHON=/usr/bin/python3
export SLIPWAY_TIMM=$PWD/.cache/timm SLIPWAY_CHARTS_PYTHON=$PWD/.cache/charts-venv/bin/python
export SLIPWAY_REAL_GRAPHS=$PWD/.cache/real_graphs/torchscript
$SLIPWAY_TORCH_PYTHON tests/suites/real_graphs/real_graphs.py torchscript "$SLIPWAY_REAL_GRAPHS"

part ctest ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" "${arguments[@]}"
[ ${#arguments[@]} -gt 0 ] || part fuzzers fuzzers
[ $full = 1 ] || exit 0
part 'store on radosgw' tests/support/radosgw.py build/bin/store_test
part 'farm on radosgw' tests/support/radosgw.py build/bin/client_test --gtest_filter='S3FarmTest.*'
part 'graphs of the newest PyTorch' newest_graphs
part mutants tests/mutants/run.py
[ ${#failed[@]} = 0 ] || { printf 'tests/run.sh: failed: %s\n' "${failed[@]}"; exit 1; }
