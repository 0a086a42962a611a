#!/usr/bin/env bash
# procsup on a Cloud TPU VM, as a queued resource: docs/tpu.md goes through it.
#
#   tpu_vm.sh create NAME --tpu=v5e-8 --zone=ZONE --workdir=gs://BUCKET/FOLDER [--spot] -- --config=configs/demo.py
#   tpu_vm.sh watch  NAME ...the same...   create, create again after each preemption, delete when the run has ended
#   tpu_vm.sh logs   NAME --zone=ZONE      the last lines of every worker
#   tpu_vm.sh delete NAME --zone=ZONE
#
# --print shows the commands instead of running them. What stands after -- are arguments of `procsup run`, which runs on
# every worker; --project=PROJECT stands for gcloud's own setting. Code is the last commit (HEAD): it is put beside the
# run in the bucket, from where each machine, also one created anew, takes it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$here/shared.sh"

action=${1:-} name=${2:-}
case $action in create | watch | logs | delete) ;; *) fail "expected create, watch, logs or delete, found '$action'" ;; esac
[[ $name =~ ^[a-z][a-z0-9-]*$ ]] || fail "name '$name': lower-case letters, digits and -, such as demo"
shift 2

print='' spot='' tpu='' zone='' workdir='' project=()
while (($#)); do
  case $1 in
    --print) print=1 ;;
    --spot) spot=1 ;;
    --tpu=*) tpu=${1#*=} ;;
    --zone=*) zone=${1#*=} ;;
    --workdir=*) workdir=${1#*=} ;;
    --project=*) project=("$1") ;;
    --) shift && break ;;
    *) fail "unknown argument '$1'; arguments of procsup run come after --" ;;
  esac
  shift
done
arguments=("$@")
[[ $zone ]] || fail "no zone; pass --zone=ZONE, such as --zone=us-west4-a"

queue() {
  local verb=$1
  shift
  run gcloud compute tpus queued-resources "$verb" "$name" "--zone=$zone" "${project[@]}" "$@"
}

check() {
  case $tpu in
    v5e-* | v5litepod-*) type=v5litepod-${tpu#*-} runtime=v2-alpha-tpuv5-lite ;;
    v5p-*) type=$tpu runtime=v2-alpha-tpuv5 ;;
    v6e-*) type=$tpu runtime=v2-alpha-tpuv6e ;;
    v2-* | v3-* | v4-*) type=$tpu runtime=tpu-ubuntu2204-base ;;
    *) fail "--tpu='$tpu' is no slice; expected such as v5e-8, v5p-8 or v6e-8" ;;
  esac
  [[ $workdir =~ ^gs://[^/]+/.+[^/]$ ]] || fail "--workdir='$workdir' does not outlive the machine; pass gs://BUCKET/FOLDER"
  needs_config "${arguments[@]}"
}

upload() {
  local code=/tmp/procsup-$name.tar.gz
  run git -C "$root" archive --format=tar.gz --output="$code" HEAD
  run gcloud storage cp "$code" "$workdir/launch/code.tar.gz"
}

create() {
  local command metadata
  command=$(printf '%s\n' run "${arguments[@]}")
  # ^;;^ makes ;; the separator, so that arguments may hold commas (gcloud topic escaping).
  metadata="^;;^procsup-workdir=$workdir;;procsup-arguments=$command"
  queue create "--node-id=$name" "--accelerator-type=$type" "--runtime-version=$runtime" \
    "--metadata-from-file=startup-script=$here/startup.sh" "--metadata=$metadata" \
    "--scopes=https://www.googleapis.com/auth/cloud-platform" ${spot:+--spot}
}

delete() {
  queue delete --force --quiet
}

# ACTIVE, SUSPENDED (preempted) and so on; nothing where there is none.
state() {
  gcloud compute tpus queued-resources list "--zone=$zone" "${project[@]}" "--filter=name~(^|/)$name\$" \
    "--format=value(state.state)"
}

# What the first worker wrote when its run ended: what procsup ended with, 0 when all is well.
ending() {
  gcloud storage cat "$workdir/launch/exit-0" 2>/dev/null
}

begin() {
  upload
  run gcloud storage rm "$workdir/launch/exit-*" --quiet || true # none yet in a new folder
  create
}

watch() {
  local code found
  if [[ $print ]]; then
    begin
    echo "# every minute, until $workdir/launch/exit-0 is there; when preempted:"
    delete
    create
    echo "# in the end:"
    delete
    return
  fi
  [[ $(state) ]] || begin
  while ! code=$(ending); do
    sleep 60
    found=$(state) || continue # gcloud has said why; the next minute may be better
    case $found in
      SUSPENDED | FAILED) delete && create ;;
      '') create ;;
    esac
  done
  delete
  echo "procsup ended with $code; its log: gcloud storage cat $workdir/launch/log-0"
  exit "$code"
}

case $action in
  create) check && upload && create ;;
  watch) check && watch ;;
  delete) delete ;;
  logs)
    run gcloud compute tpus tpu-vm ssh "$name" "--zone=$zone" "${project[@]}" --worker=all \
      "--command=sudo tail -n 30 /var/log/procsup.log"
    ;;
esac
