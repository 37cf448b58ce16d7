#!/usr/bin/env bash
# All tests of the workspace, by nextest where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"

if "$cargo" nextest --version >/dev/null 2>&1; then
  exec "$cargo" nextest run --workspace "$@"
fi
exec "$cargo" test --workspace "$@"
