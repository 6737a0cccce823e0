#!/usr/bin/env bash
# Installs the converters that `slipway-bench convert` measures beside Slipway, each into an environment of its own.
#
#   bench/peers.sh [onnx2tf | pnnx | onnx2coreml | coremltools]...     all of them unless named
#
# They go under .cache/peers, or $SLIPWAY_PEERS. A peer that is installed already takes no time; one that cannot be installed is told with
# its reason, kept in PEER/absent for the benchmark to report. Exit status: 0 when at least one of those asked for is there, otherwise 1.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${SLIPWAY_PEERS:-$(dirname "$here")/.cache/peers}
python=${SLIPWAY_PEERS_PYTHON:-/usr/bin/python3}
mkdir -p "$peers"

# The pip arguments a peer needs besides its list of pinned versions (peers/NAME.txt, complete, so nothing else is resolved).
arguments() {
  case $1 in
    # Says that it wants Python 3.12, and runs on 3.11.
    onnx2tf) echo --ignore-requires-python ;;
    # The build for CPUs.
    coremltools) echo --extra-index-url https://download.pytorch.org/whl/cpu --retries 1 ;;
  esac
}

# pnnx reads ONNX without the PyTorch that its package asks for; the others' lists hold all they need.
install() {
  local folder=$peers/$1 list=$here/peers/$1.txt log=$peers/$1.log
  if [ ! -e "$folder/absent" ] && sha256sum --check --status "$folder/installed" 2>/dev/null; then return 0; fi
  echo "peers: installing $1"
  rm -rf "$folder"
  # shellcheck disable=SC2046
  if "$python" -m venv "$folder" >"$log" 2>&1 &&
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: $(arguments "$1") -r "$list" >>"$log" 2>&1 &&
    "$folder/bin/python" "$here/peers/run_$1.py" --version >"$folder/version" 2>>"$log"; then
    sha256sum "$list" >"$folder/installed"
    return 0
  fi
  mkdir -p "$folder"
  { grep -m1 -E '^(ERROR|[A-Za-z]*Error)' "$log" || tail -n 1 "$log"; } | cut -c1-300 >"$folder/absent"
  return 1
}

[ $# -gt 0 ] || set -- onnx2tf pnnx onnx2coreml coremltools
present=1
for peer in "$@"; do
  [ -f "$here/peers/$peer.txt" ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  if install "$peer"; then
    present=0
    echo "peers: $peer $(cat "$peers/$peer/version")"
  else
    echo "peers: $peer is absent: $(cat "$peers/$peer/absent")"
  fi
done
exit $present
