#!/usr/bin/env bash
# All tests of the workspace, by nextest where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"

# Everything at once: packages built alone would have other features, and the
# same dependencies would be compiled again.
"$cargo" build --workspace --all-targets
export REPRISE_TESTS_BUILT=1

if "$cargo" nextest --version >/dev/null 2>&1; then
  exec "$cargo" nextest run --workspace "$@"
fi
exec "$cargo" test --workspace "$@"
