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
filter=() test=()
leave_out() { # a program, and the module of the tests that need it
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] && return 0
  echo "tests: $1 is not installed; its tests are skipped (\`make deps\` as root installs it)" >&2
  skip "$2"
}
skip() { # a module
  filter+=("not test(/(^|::)$1::/)")
  test+=(--skip "$1::")
}
leave_out pgbackrest pgbackrest
leave_out slapd slapd
leave_out ldapmodify slapd
leave_out mariadb-backup mariadb
leave_out git git
leave_out restic restic
# The full estate has all of them.
for program in slapd ldapmodify mariadb-backup git; do
  leave_out "$program" layers
  leave_out "$program" runbooks
  leave_out "$program" outages
done
# Full disks are small ones in memory, mounted for the test alone.
[ "$(id -u)" -eq 0 ] && master=() || master=(--map-current-user --keep-caps)
if ! unshare "${master[@]}" --mount sh -c 'mount -t tmpfs tmpfs /tmp' 2>/dev/null; then
  echo "tests: this account may mount nothing, not even for itself; full disks are skipped" >&2
  skip space
fi
nextest=()
for one in "${filter[@]}"; do
  [ ${#nextest[@]} -eq 0 ] && nextest=(-E "$one") || nextest[1]+=" and $one"
done
[ ${#test[@]} -eq 0 ] || test=(-- "${test[@]}")

if "$cargo" nextest --version >/dev/null 2>&1; then
  exec "$cargo" nextest run --workspace "${nextest[@]}" "$@"
fi
exec "$cargo" test --workspace "$@" "${test[@]}"
