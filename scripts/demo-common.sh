# Of both demos, which source it with `bin` and `lab` set: what they print, and
# the end of everything that they started, also when they fail or are
# interrupted.

heading() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() {
  printf '$ %s\n' "$*" | sed "s|$bin/||"
  "$@"
}

cleanup() {
  status=$?
  trap - EXIT INT TERM
  if [ -n "$load" ]; then
    kill "$load" 2>/dev/null || true
    wait "$load" 2>/dev/null || true
  fi
  if [ -e "$lab/.reprise-lab" ]; then
    "$bin/reprise-lab" down --dir "$lab" >/dev/null 2>&1 || true
  fi
  if [ "$status" -ne 0 ]; then
    printf '\n%s: ended with %s; what is left lies in %s\n' "$(basename "$0" .sh)" "$status" "$lab" >&2
  fi
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What an earlier demo left is ended and removed; a folder that is not a lab's is refused.
remove_earlier() {
  if [ -e "$lab/.reprise-lab" ]; then
    rm -rf "$lab/out"
    "$bin/reprise-lab" down --dir "$lab" --purge 2>/dev/null
  fi
}
