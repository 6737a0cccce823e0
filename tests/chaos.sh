#!/usr/bin/env bash
# Runs a real farm under a seeded schedule of faults and checks that nothing is lost, repeated or left behind; docs/testing.md.
# Usage: tests/chaos.sh --seed N[-M] [--tasks M] [--bin DIR] [--keep] [--verbose]      (--help tells more)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export SLIPWAY_PYTHON=${SLIPWAY_PYTHON:-$here/../.venv/bin/python}
# A mount namespace of its own, for a disk that can be filled.
exec unshare --map-root-user --mount "$SLIPWAY_PYTHON" "$here/chaos/chaos.py" "$@"
