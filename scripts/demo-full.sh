#!/usr/bin/env bash
# Every layer of a batch of sites is deleted from stores that everybody else
# keeps using, and comes back at one moment: rows, people, objects, apps. All
# servers are real, live in one folder and are ended with the script, also when
# it fails or is interrupted.
set -euo pipefail
cd "$(dirname "$0")/.."

bin="${CARGO_TARGET_DIR:-target}/release"
lab="${DEMO_DIR:-.reprise/demo-full}"
shards="${DEMO_SHARDS:-3}"
sites="${DEMO_SITES:-60}"
delete="${DEMO_DELETE:-20}"
runbook=runbooks/restore-in-place.yaml
load=

source scripts/demo-common.sh

# Stops at a gate are what these steps are about.
show_until_a_gate() {
  local status=0
  show "$@" || status=$?
  [ "$status" -eq 5 ] || { [ "$status" -ne 0 ] || status=1; return "$status"; }
}

heading "An estate with every kind of store, $sites sites"
remove_earlier
show "$bin/reprise-lab" up --full --dir "$lab" --shards "$shards" --sites "$sites" --seed 42
mkdir -p "$lab/out"
estate=(-e "$lab/estate.yaml" --env-file "$lab/env")
state=(--state "sqlite:$lab/out/state.db")

heading "Neighbours at work, from now to the end"
"$bin/reprise-lab" load --dir "$lab" >"$lab/out/load.log" 2>&1 &
load=$!
echo "writers run as process $load, on every store"

heading "The accident: $delete sites are deleted from every store"
printf '$ reprise-lab accident --dir %s --delete %s\n' "$lab" "$delete"
at=$("$bin/reprise-lab" accident --dir "$lab" --delete "$delete")

heading "Check: all that can be known before anything is started"
show "$bin/reprise" check "${estate[@]}" -r "$runbook" --at "$at" "${state[@]}"

heading "Plan: $delete sites, one moment, $at"
show "$bin/reprise" plan "${estate[@]}" -r "$runbook" --at "$at" \
  --sites "@$lab/deleted.txt" -o "$lab/out/plan.json" --graph "$lab/out/plan.svg" "${state[@]}"

heading "Run, up to the operator's gate: every shard is brought to the target time, live is untouched"
show_until_a_gate "$bin/reprise" run "$lab/out/plan.json" --env-file "$lab/env" --confirm "$delete" "${state[@]}"
run=$("$bin/reprise" runs "${state[@]}" --json | sed -n 's/.*"run": *"\([^"]*\)".*/\1/p' | head -1)

heading "The operator lets the writing begin; the run goes on to the customers' gates"
show "$bin/reprise" approve "$run" begin "${state[@]}"
show_until_a_gate "$bin/reprise" resume "$run" --env-file "$lab/env" "${state[@]}"

heading "The customers take their sites over"
show "$bin/reprise" approve "$run" handover "${state[@]}"
show "$bin/reprise" resume "$run" --env-file "$lab/env" "${state[@]}"

heading "Report"
show "$bin/reprise" report "$run" "${state[@]}" --html "$lab/out/report.html"
"$bin/reprise" report "$run" "${state[@]}" --markdown >"$lab/out/report.md"

heading "Audit: each store against a reading of its own at the target time, the neighbours against their writers' books"
printf '$ reprise-lab audit --dir %s --at %s\n' "$lab" "$at"
"$bin/reprise-lab" audit --dir "$lab" --at "$at" >"$lab/out/audit.json"

heading "To look further"
cat <<NEXT
$lab/out/report.html     the report          $lab/out/plan.svg    the plan as a picture
$lab/out/audit.json      the audit           $lab/estate.yaml     the estate
$bin/reprise-lab down --dir $lab --purge    removes it all
NEXT
