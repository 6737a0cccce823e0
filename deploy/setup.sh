#!/usr/bin/env bash
# Sets up what Slipway needs on Debian 12, each part once: a second run finds it done and takes a second.
#
#   deploy/setup.sh build      compiler, libraries and redis-server (apt)
#   deploy/setup.sh runtimes   .venv with the judges' pinned, hashed wheels
#   deploy/setup.sh mtcnn      .cache/mtcnn: MTCNN's trained state dicts out of the facenet-pytorch wheel
#   deploy/setup.sh tests      what the tests need besides: PyTorch (apt), onnx, coremltools and rclone (wheels), timm in .cache/timm,
#                              Helm with Kubernetes' schemas in .cache/charts-venv
#   deploy/setup.sh torch      .cache/torch-venv: the newest PyTorch, whose exporter the long suites use
#   deploy/setup.sh gateway    Ceph with its S3 gateway (apt), against which the long suites run the store's tests
#   deploy/setup.sh compile    configures and builds build/bin
#   deploy/setup.sh package    builds build/package/slipway_*.deb, for Debian 12
#
# Nothing here leaves a service running: redis-server is installed with its system service disabled.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs the packages that are missing, without letting their services start.
apt_install() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "setup: installing ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d made_policy=0
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
    made_policy=1
  fi
  local status=0
  { as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } || status=$?
  [ $made_policy = 0 ] || as_root rm -f $policy
  [ $status = 0 ] || { echo "setup: apt-get failed; see above" >&2; exit 5; }
  if [[ " ${missing[*]} " == *" redis-server "* ]]; then  # nor at the next boot
    if command -v systemctl >/dev/null; then
      as_root systemctl disable --quiet redis-server 2>/dev/null || true
    elif command -v update-rc.d >/dev/null; then
      as_root update-rc.d redis-server disable >/dev/null 2>&1 || true
    fi
  fi
}

build() {
  # shellcheck disable=SC2046
  apt_install $(sed 's/#.*//' deploy/requirements/build.apt)
}

# wheels NAME [FOLDER [PIP ARGUMENT...]]: installs requirements/NAME.txt into the environment FOLDER (.venv) unless the very same file was
# installed before.
wheels() {
  local list=deploy/requirements/$1.txt folder=${2:-.venv} stamp=${2:-.venv}/.$1.sha256
  apt_install python3-venv
  [ -x "$folder/bin/python" ] || /usr/bin/python3 -m venv "$folder"
  if ! sha256sum --check --status "$stamp" 2>/dev/null; then
    echo "setup: installing $list into $folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: "${@:3}" -r "$list"
    sha256sum "$list" >"$stamp"
  fi
}

mtcnn() {
  local folder=.cache/mtcnn
  [ ! -f $folder/onet.pt ] || return 0
  wheels runtimes
  echo "setup: fetching MTCNN's trained weights (facenet-pytorch 2.6.0)"
  local temporary
  temporary=$(mktemp -d)
  .venv/bin/pip download --quiet --disable-pip-version-check --require-hashes --no-deps --dest "$temporary" -r deploy/requirements/mtcnn.txt
  .venv/bin/python -m zipfile -e "$temporary"/facenet_pytorch-*.whl "$temporary/wheel"
  mkdir -p .cache
  rm -rf $folder.part && mkdir $folder.part
  cp "$temporary"/wheel/facenet_pytorch/data/{pnet,rnet,onet}.pt "$temporary"/wheel/facenet_pytorch/models/mtcnn.py $folder.part/
  mv $folder.part $folder
  rm -rf "$temporary"
}

tests() {
  # shellcheck disable=SC2046
  apt_install $(sed 's/#.*//' deploy/requirements/tests.apt)
  wheels tests
  wheels charts .cache/charts-venv
  timm
}

# A library of networks beside the system's PyTorch, without what it would bring along.
timm() {
  local folder=.cache/timm
  [ ! -d $folder ] || return 0
  echo "setup: fetching timm 0.9.16"
  local temporary
  temporary=$(mktemp -d)
  .venv/bin/pip download --quiet --disable-pip-version-check --require-hashes --no-deps --dest "$temporary" -r deploy/requirements/timm.txt
  mkdir -p .cache
  rm -rf $folder.part
  .venv/bin/python -m zipfile -e "$temporary"/timm-*.whl $folder.part
  mv $folder.part $folder
  rm -rf "$temporary"
}

torch() {
  wheels torch .cache/torch-venv --extra-index-url https://download.pytorch.org/whl/cpu --retries 1
}

gateway() {
  apt_install ceph-mon ceph-osd radosgw curl
}

compile() {
  [ build/build.ninja -nt CMakePresets.json ] || cmake --preset release
  cmake --build build
}

# Of the binaries alone: no test is built for it.
package() {
  [ build/build.ninja -nt CMakePresets.json ] || cmake --preset release
  cmake --build build --target slipway slipway-coordinator slipway-worker
  (cd build && cpack -G DEB -B package)
}

for part in "$@"; do
  case $part in
    build | mtcnn | tests | torch | gateway | compile | package) $part ;;
    runtimes) wheels runtimes ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
