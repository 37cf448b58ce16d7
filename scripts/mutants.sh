#!/usr/bin/env bash
# Breaks the engine on purpose, one way after another, and has the simulation
# find each. A break that nobody notices, or a patch that no longer applies,
# fails. Works on a copy, a few minutes long; `scripts/mutants.sh NAME` tries one of tests/mutants.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"
root="$PWD"
# A target folder of their own, kept: cargo tells a crate by its name and its
# place in the workspace, and would take a broken one for ours.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/mutants"
runs="${MUTANT_RUNS:-3000}"
seed="${MUTANT_SEED:-$(date +%s)}"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT

cp Cargo.lock "$copy"
cp -r rust-toolchain.toml "$copy"
sed -e 's|^members = .*|members = ["crates/*"]|' Cargo.toml > "$copy/Cargo.toml"
mkdir "$copy/crates"
for crate in model spec plan ports chain engine sim; do
  cp -r "crates/reprise-$crate" "$copy/crates/"
done
cp -r schemas fixtures "$copy" 2>/dev/null || true

simulate() {
  (cd "$copy" && "$cargo" build -q -p reprise-sim --example simulate 2>&1) || return 2
  "$CARGO_TARGET_DIR/debug/examples/simulate" --runs "$runs" --seed "$seed" --sites 12 --jobs 2 2>/dev/null
}

survivors=0
for patch in tests/mutants/${1:-*}.patch; do
  name="$(basename "$patch" .patch)"
  if ! patch -d "$copy" -p1 -s --dry-run < "$patch" > /dev/null; then
    echo "$name: the patch no longer applies"
    survivors=$((survivors + 1))
    continue
  fi
  patch -d "$copy" -p1 -s < "$patch"
  code=0
  out="$(simulate)" || code=$?
  if [ "$code" = 1 ] && line="$(grep -m1 VIOLATION <<< "$out")"; then
    needed="$(grep -oE '^[0-9]+ runs, ' <<< "$out" | grep -oE '[0-9]+')"
    printf '%-40s found in %4s runs: %s\n' "$name" "$needed" "${line#VIOLATION }"
  else
    printf '%-40s NOT FOUND (exit code %s)\n' "$name" "$code"
    [ "$code" = 2 ] && tail -20 <<< "$out"
    survivors=$((survivors + 1))
  fi
  patch -d "$copy" -p1 -s -R < "$patch"
done
if [ "$survivors" != 0 ]; then
  echo "$survivors not found, or no longer applicable"
  exit 1
fi
