#!/usr/bin/env bash
# The measurements of docs/benchmarks.md, one after another.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"

heading() { printf '\n== %s\n' "$*"; }

"$cargo" build -q --release -p reprise-connectors --example slice_bench
"$cargo" build -q --release -p reprise-connectors --example mariadb_bench
"$cargo" build -q --release -p reprise-journal --example append_bench
"$cargo" build -q --release -p reprise-cli --bin reprise --example scale_bench
"$cargo" build -q --release -p reprise-runner --example throughput_bench
examples="${CARGO_TARGET_DIR:-target}/release/examples"

heading "a slice: restore against psql copy | psql copy, ${BENCH_ROWS:-400000} rows"
REPRISE_DEPS="${REPRISE_DEPS:-.deps}" "$examples/slice_bench" --rows "${BENCH_ROWS:-400000}" --rounds 5

heading "a slice of MariaDB: restore against mariadb-dump | mariadb, and load data; one large table, 20 small ones"
"$examples/mariadb_bench" --rows 200000 --rounds 5
"$examples/mariadb_bench" --rows 2000 --tables 20 --rounds 9

heading "a bucket: restore against rclone copy, 5,000 objects"
scripts/bench-media.sh

heading "a batch: sites of one shard in one run against each with a recovery of its own"
scripts/bench-batch.sh

heading "the journal: events appended against bare inserts, as durable"
"$examples/append_bench"

heading "30,058 tasks that take no time: ours against a bare loop, as durable"
"$examples/throughput_bench" --folder "${CARGO_TARGET_DIR:-target}"

heading "the same with durations: makespan against the lower bound of 20 s, with pools and without"
"$examples/throughput_bench" --folder "${CARGO_TARGET_DIR:-target}" --bound 20 --rounds 1
"$examples/throughput_bench" --folder "${CARGO_TARGET_DIR:-target}" --bound 20 --rounds 1 --without-pools

heading "a million tasks: compile, run, kill, resume, status, report"
"$examples/scale_bench"

heading "the order of starts: makespan by lower bound, in virtual time"
"$cargo" run -q --release -p reprise-sim --example makespan_bench -- 15
