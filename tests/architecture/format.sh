#!/usr/bin/env bash
# Every C++ file is as clang-format writes it. Mend with: git ls-files '*.cc' '*.h' | xargs clang-format -i
set -euo pipefail
cd "$(dirname "$0")/../.."
find common convert coordinator worker client bench tests \( -name '*.cc' -o -name '*.h' \) -print0 | xargs -0 "${1:-clang-format}" --dry-run --Werror
