#!/usr/bin/env bash
# A batch of sites is deleted from shards that everybody else keeps using, and
# comes back at one moment. Everything lives in one folder and is ended with
# the script, also when it fails or is interrupted.
set -euo pipefail
cd "$(dirname "$0")/.."

bin="${CARGO_TARGET_DIR:-target}/release"
lab="${DEMO_DIR:-.reprise/demo}"
shards="${DEMO_SHARDS:-3}"
sites="${DEMO_SITES:-60}"
delete="${DEMO_DELETE:-20}"
runbook=runbooks/restore-databases.yaml
load=

source scripts/demo-common.sh

heading "An estate: a catalogue, an identity store, $shards product shards, $sites sites"
remove_earlier
show "$bin/reprise-lab" up --dir "$lab" --shards "$shards" --sites "$sites" --seed 42
mkdir -p "$lab/out"
estate=(-e "$lab/estate.yaml" --env-file "$lab/env")
state=(--state "sqlite:$lab/out/state.db")

heading "Neighbours at work, from now to the end"
"$bin/reprise-lab" load --dir "$lab" >"$lab/out/load.log" 2>&1 &
load=$!
echo "writers run as process $load, on every store"

heading "The accident: $delete sites are deleted, one after another"
printf '$ reprise-lab accident --dir %s --delete %s\n' "$lab" "$delete"
at=$("$bin/reprise-lab" accident --dir "$lab" --delete "$delete")

heading "Check: all that can be known before anything is started"
show "$bin/reprise" check "${estate[@]}" -r "$runbook" --at "$at" "${state[@]}"

heading "Plan: $delete sites, one moment, $at"
show "$bin/reprise" plan "${estate[@]}" -r "$runbook" --at "$at" \
  --sites "@$lab/deleted.txt" -o "$lab/out/plan.json" --graph "$lab/out/plan.svg" "${state[@]}"

heading "Run"
show "$bin/reprise" run "$lab/out/plan.json" --env-file "$lab/env" --confirm "$delete" "${state[@]}"

heading "Report"
show "$bin/reprise" report "${state[@]}" --html "$lab/out/report.html"
show "$bin/reprise" report "${state[@]}" --markdown | tee "$lab/out/report.md"

heading "Audit: row for row against PostgreSQL's own recovery, and the neighbours against their writers' ledger"
printf '$ reprise-lab audit --dir %s --at %s\n' "$lab" "$at"
"$bin/reprise-lab" audit --dir "$lab" --at "$at" >"$lab/out/audit.json"

heading "To look further"
cat <<NEXT
$lab/out/report.html     the report          $lab/out/plan.svg    the plan as a picture
$lab/out/audit.json      the audit           $lab/estate.yaml     the estate
$bin/reprise-lab up --dir $lab --shards $shards --sites $sites --seed 42    starts the servers again
$bin/reprise status --state sqlite:$lab/out/state.db
$bin/reprise-lab down --dir $lab --purge    removes it all
NEXT
