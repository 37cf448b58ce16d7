#!/usr/bin/env bash
# Deleted sites of one shard, restored in one run, against some of them each
# with a recovery of its own, as scripts do it today. Prints what a site costs
# either way; everything lives in one folder and is removed with the script.
set -euo pipefail
cd "$(dirname "$0")/.."

bin="${CARGO_TARGET_DIR:-target}/release"
lab="${BENCH_DIR:-.reprise/bench}"
sites="${BENCH_SITES:-100}"
batch="${BENCH_BATCH:-20}"
alone="${BENCH_ALONE:-3}"
scale="${BENCH_SCALE:-1}"
log=$(mktemp)

cleanup() {
  status=$?
  trap - EXIT INT TERM
  if [ -e "$lab/.reprise-lab" ]; then
    rm -rf "$lab/runs"
    "$bin/reprise-lab" down --dir "$lab" --purge >/dev/null 2>&1 || true
  fi
  if [ "$status" -ne 0 ]; then
    cat "$log" >&2
  fi
  rm -f "$log"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Deletes so many sites; prints the moment before.
delete_sites() {
  rm -f "$lab/accident.json"
  "$bin/reprise-lab" accident --dir "$lab" --delete "$1" --seed "$2" --pause-ms 0 2>>"$log"
}

# An estate that an interrupted bench left behind is of no use.
if [ -e "$lab/.reprise-lab" ]; then
  rm -rf "$lab/runs"
  "$bin/reprise-lab" down --dir "$lab" --purge >/dev/null 2>&1
fi
"$bin/reprise-lab" up --dir "$lab" --shards 1 --sites "$sites" --scale "$scale" --seed 7 >"$log" 2>&1
at=$(delete_sites "$batch" 7)

# Restores the sites that were deleted last, to the first accident's moment,
# with a journal and a scratch folder of their own; sets `seconds` and `rows`.
restore() {
  local start state="$lab/runs/$1"
  rm -rf "$lab/scratch"
  mkdir -p "$state"
  start=$EPOCHREALTIME
  "$bin/reprise" run -e "$lab/estate.yaml" --env-file "$lab/env" -r scripts/bench-batch.yaml \
    --at "$at" --sites "@$lab/deleted.txt" --confirm "$2" --state "$state/state.db" >"$state/report.txt" 2>>"$log"
  seconds=$(awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.3f", to - from }')
  rows=$(awk '$1 == "restored" { gsub(/[^0-9]/, "", $2); print $2; exit }' "$state/report.txt")
}

line() { printf '%-44s %8.2f s  %8d rows  %7.2f s a site\n' "$@"; }

restore together "$batch"
together=$seconds
line "$batch sites of one shard in one run" "$seconds" "$rows" \
  "$(awk -v s="$seconds" -v n="$batch" 'BEGIN { print s / n }')"

# One after another: rows of two deleted sites may refer to each other.
sum=0
for number in $(seq "$alone"); do
  delete_sites 1 "$number" >/dev/null
  restore "alone-$number" 1
  line "one site with a recovery of its own" "$seconds" "$rows" "$seconds"
  sum=$(awk -v a="$sum" -v b="$seconds" 'BEGIN { print a + b }')
done
awk -v sum="$sum" -v k="$alone" -v n="$batch" -v together="$together" 'BEGIN {
  printf "%-44s %8.2f s  (extrapolated from %d)\n", n " sites each with a recovery of its own", sum / k * n, k
  printf "%-44s %8.1f times faster\n", "in one run", sum / k * n / together
}'
