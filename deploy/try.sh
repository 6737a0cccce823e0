#!/usr/bin/env bash
# MTCNN's three trained nets to ONNX, TFLite, Core ML and NCNN at fp32, proved, in one command. Sets up what it needs first.
# Usage: deploy/try.sh [OUT]     (default: exports/mtcnn)
set -euo pipefail
cd "$(dirname "$0")/.."
deploy/setup.sh build runtimes mtcnn compile
build/bin/slipway export \
  mtcnn-pnet@.cache/mtcnn/pnet.pt mtcnn-rnet@.cache/mtcnn/rnet.pt mtcnn-onet@.cache/mtcnn/onet.pt \
  --target all --precision fp32 --out "${1:-exports/mtcnn}"
