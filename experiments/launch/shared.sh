# shellcheck shell=bash
# What tpu_vm.sh and xpk.sh have in common; each sets print to show commands instead of running them.

fail() {
  echo "${0##*/}: $*" >&2
  exit 2
}

run() {
  if [[ $print ]]; then
    printf '%q ' "$@" | sed 's/ $//'
    echo
  else
    "$@"
  fi
}

needs_config() {
  [[ " $* " == *" --config="* ]] || fail "no configuration; end with -- --config=configs/demo.py"
}
