#!/usr/bin/env bash
# All tests of the workspace, by nextest where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"

# Everything at once: packages built alone would have other features, and the
# same dependencies would be compiled again.
"$cargo" build --workspace --all-targets
export REPRISE_TESTS_BUILT=1

# An ordinary user cannot install it. What is then not looked at is left out by
# name, so that the closing line counts it as skipped.
nextest=() test=()
if ! command -v pgbackrest >/dev/null; then
  echo "tests: pgbackrest is not installed; its tests are skipped (\`make deps\` as root installs it)" >&2
  nextest=(-E 'not test(/::pgbackrest::/)')
  test=(-- --skip ::pgbackrest::)
fi

if "$cargo" nextest --version >/dev/null 2>&1; then
  exec "$cargo" nextest run --workspace "${nextest[@]}" "$@"
fi
exec "$cargo" test --workspace "$@" "${test[@]}"
