#!/usr/bin/env bash
# Every mutant still applies: one that the code has left behind proves nothing (tests/mutants/run.py shows that each turns its test red).
set -euo pipefail
cd "$(dirname "$0")/../.."
stale=0
for patch in tests/mutants/*.patch; do
  git apply --check "$patch" 2>/dev/null || { echo "$patch does not apply"; stale=1; }
done
exit $stale
