#!/usr/bin/env bash
# What a forecast says against what a run then takes, in labs of three sizes.
# In each lab one restore teaches what tasks take; the same number of other
# sites is deleted, forecast and restored, in several rounds. `known` is the same
# plan forecast after its run, when its own durations are known: what is off
# there is the model, and the rest is the machine, which was faster or slower
# than in the runs before. Everything lives in one folder for each lab and is
# removed with the script.
set -euo pipefail
cd "$(dirname "$0")/.."

bin="${CARGO_TARGET_DIR:-target}/release"
folder="${BENCH_DIR:-.reprise/bench-forecast}"
# Deleted sites of each lab; a lab has enough of them for every round.
sizes="${BENCH_SIZES:-10 20 40}"
rounds="${BENCH_ROUNDS:-3}"
scale="${BENCH_SCALE:-1}"
runbook=runbooks/restore-databases.yaml
lab=
log=$(mktemp)

down() {
  if [ -n "$lab" ] && [ -e "$lab/.reprise-lab" ]; then
    rm -rf "$lab/runs"
    "$bin/reprise-lab" down --dir "$lab" --purge >/dev/null 2>&1 || true
  fi
}

cleanup() {
  status=$?
  trap - EXIT INT TERM
  down
  if [ "$status" -ne 0 ]; then
    tail -40 "$log" >&2
  fi
  rm -f "$log"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints a number of a JSON document: its key under `recovery` or `totals`.
number() {
  grep -o "\"$1\": *[0-9.]*" | head -1 | sed 's/.*: *//'
}

# Deletes so many sites that are still there, and plans their restore.
accident() {
  rm -f "$lab/accident.json"
  at=$("$bin/reprise-lab" accident --dir "$lab" --delete "$1" --seed "$2" --pause-ms 0 2>>"$log")
  "$bin/reprise" plan -e "$lab/estate.yaml" --env-file "$lab/env" -r "$runbook" --at "$at" \
    --sites "@$lab/deleted.txt" -o "$lab/runs/plan.json" --state "$lab/runs/state.db" >/dev/null 2>>"$log"
}

# Runs the plan; prints the recovery time that the report measured.
measured() {
  "$bin/reprise" run "$lab/runs/plan.json" --env-file "$lab/env" --confirm "$1" \
    --state "$lab/runs/state.db" --json 2>>"$log" | sed -n '/"totals"/,$p' | number rta_seconds
}

# Stands before the plan is run: median, and the band of 90 percent.
predicted() {
  "$bin/reprise" forecast "$lab/runs/plan.json" --state "$lab/runs/state.db" --json 2>>"$log" >"$lab/runs/forecast.json"
  number median <"$lab/runs/forecast.json"
}

band() {
  tr -d ' \n' <"$lab/runs/forecast.json" |
    sed -E 's/.*"recovery":\{[^]]*"percent":90,"from":([0-9.]+),"to":([0-9.]+).*/\1 \2/'
}

middle() {
  sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

printf '%5s %6s  %10s  %20s  %10s  %6s  %10s  %6s\n' sites round forecast '90 %' measured ratio known ratio
for size in $sizes; do
  lab="$folder-$size"
  down
  "$bin/reprise-lab" up --dir "$lab" --shards 3 --sites $((size * (rounds + 2))) --scale "$scale" --seed "$size" >"$log" 2>&1
  mkdir -p "$lab/runs"
  accident "$size" 1
  printf '%5d %6s  %55.2f s\n' "$size" first "$(measured "$size")"
  ratios=
  for round in $(seq "$rounds"); do
    accident "$size" "$((round + 1))"
    forecast=$(predicted)
    read -r from to <<<"$(band)"
    took=$(measured "$size")
    ratio=$(awk -v f="$forecast" -v m="$took" 'BEGIN { printf "%.3f", f / m }')
    ratios="$ratios $ratio"
    known=$(predicted)
    printf '%5d %6d  %8.2f s  %8.2f to %7.2f s  %8.2f s  %6.3f  %8.2f s  %6.3f\n' "$size" "$round" \
      "$forecast" "$from" "$to" "$took" "$ratio" "$known" "$(awk -v f="$known" -v m="$took" 'BEGIN { print f / m }')"
  done
  printf '%5d median of the ratios %s\n' "$size" "$(tr ' ' '\n' <<<"$ratios" | grep . | middle)"
  down
  lab=
done
