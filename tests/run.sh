#!/usr/bin/env bash
# Builds Slipway and runs its tests. Sets up what they need first; a second run is incremental.
# Usage: tests/run.sh [--full] [ctest arguments, e.g. -R Parity]
#   --full   also the long suites: every mutant in tests/mutants must turn its test red
set -euo pipefail
cd "$(dirname "$0")/.."
full=0
if [ "${1:-}" = --full ]; then full=1; shift; fi
deploy/setup.sh build runtimes mtcnn tests compile
export SLIPWAY_PYTHON=$PWD/.venv/bin/python SLIPWAY_MTCNN=$PWD/.cache/mtcnn SLIPWAY_TORCH_PYTHON=/usr/bin/python3
ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" "$@"
if [ $full = 1 ]; then tests/mutants/run.py; fi
