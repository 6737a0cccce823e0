#!/usr/bin/env bash
# Runs a real farm under a seeded schedule of faults and checks that nothing is lost, repeated or left behind; docs/testing.md.
# Usage: tests/chaos.sh --seed N[-M] [--jobs J] [--tasks M] [--store local|s3] [--tls] [--keep] [--verbose]      (--help tells more)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export SLIPWAY_PYTHON=${SLIPWAY_PYTHON:-$here/../.venv/bin/python}
exec "$SLIPWAY_PYTHON" "$here/chaos/chaos.py" "$@"
