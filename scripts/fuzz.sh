#!/usr/bin/env bash
# Throws bytes at every door for FUZZ_SECONDS each (60), or at those that are
# named: scripts/fuzz.sh [TARGET...]. What is learned is kept in the target
# folder, so that the next run starts from there. FUZZ_SEED makes the same
# choices again, as far as the time goes.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${FUZZ_SECONDS:-60}"
cargo="${CARGO:-cargo}"
built="${CARGO_TARGET_DIR:-target}"
mkdir -p "$built"
built=$(cd "$built" && pwd)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(estate runbook lists plan journal exec)

if ! command -v "${CXX:-c++}" >/dev/null; then
  cat >&2 <<'MESSAGE'
fuzz: no C++ compiler, and libFuzzer is C++
  as root:        make deps             installs what is missing
  on Debian:      apt-get install g++
  `cargo test -p reprise-fuzz` replays the corpus without it
MESSAGE
  exit 1
fi

# Coverage by stable flags. The triple keeps them away from build scripts, and
# what is built with them apart from everything else.
triple=$("${RUSTC:-rustc}" -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
 -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
 -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
"$cargo" build -q -p reprise-fuzz --features libfuzzer --profile fuzz --target "$triple"

export FUZZ_SEED="${FUZZ_SEED:-0}" FUZZ_SECONDS="$seconds" FUZZ_BUILT="$built" FUZZ_BINARY="$built/$triple/fuzz/reprise-fuzz"
one() {
  local name=$1 seeds=("fuzz/corpus/$1")
  case $name in
    estate) seeds+=(fixtures/estates/*/) ;;
    runbook) seeds+=(fixtures/runbooks/*/) ;;
    lists) seeds+=(fixtures/sites/*/) ;;
  esac
  local learned="$FUZZ_BUILT/fuzz-learned/$name" found="$FUZZ_BUILT/fuzz-findings/$name"
  local log="$FUZZ_BUILT/fuzz-$name.log"
  mkdir -p "$learned" "$found"
  if REPRISE_FUZZ=$name "$FUZZ_BINARY" -seed="$FUZZ_SEED" -max_total_time="$FUZZ_SECONDS" -max_len=4096 -timeout=10 \
    -rss_limit_mb=1024 -malloc_limit_mb=512 -dict=fuzz/words.dict -artifact_prefix="$found/" \
    "$learned" "${seeds[@]}" >"$log" 2>&1; then
    printf 'fuzz: %-8s %s\n' "$name" "$(grep '^Done' "$log" | tail -n 1)"
    return 0
  fi
  local input
  input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  {
    printf 'fuzz: %s FAILED\n' "$name"
    tail -n 40 "$log"
    if [ -n "$input" ]; then
      printf '\n  the input     %s' "$input"
      printf '\n  as base64     %s' "$(base64 -w0 "$input")"
      printf '\n  repeat it     REPRISE_FUZZ=%s %s %s' "$name" "$FUZZ_BINARY" "$input"
      printf '\n  once mended   mv %s fuzz/corpus/%s/WHAT-IT-WAS\n' "$input" "$name"
    fi
  } >&2
  return 1
}
export -f one
printf '%s\n' "${targets[@]}" | xargs -P "$(getconf _NPROCESSORS_ONLN)" -I{} bash -c 'set -euo pipefail; one {}'
