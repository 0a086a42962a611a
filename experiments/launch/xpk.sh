#!/usr/bin/env bash
# procsup on GKE with xpk (https://github.com/AI-Hypercomputer/xpk): docs/tpu.md goes through it.
#
#   xpk.sh cluster  CLUSTER --tpu=v5e-16 --zone=ZONE --project=PROJECT --bucket=BUCKET [--spot]   once
#   xpk.sh image    --image=HOST/PROJECT/REPOSITORY/procsup:TAG                                   for each change of code
#   xpk.sh workload CLUSTER --name=demo --tpu=v5e-16 --zone=ZONE --project=PROJECT --bucket=BUCKET --image=IMAGE
#                   -- --config=configs/demo.py [--workdir=/gcs/BUCKET/demo]
#
# --print shows the commands instead of running them. The bucket is found under /gcs/BUCKET in every container; a run
# is written to /gcs/BUCKET/NAME unless told otherwise, and goes on there when xpk starts it again.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

# shellcheck source-path=SCRIPTDIR source=shared.sh
source "$here/shared.sh"

action=${1:-}
case $action in cluster | image | workload) shift ;; *) fail "expected cluster, image or workload, found '$action'" ;; esac
cluster=''
if [[ $action != image ]]; then
  cluster=${1:-}
  [[ $cluster =~ ^[a-z][a-z0-9-]*$ ]] || fail "cluster '$cluster': lower-case letters, digits and -, such as procsup"
  shift
fi

print='' spot='' tpu='' zone='' project='' bucket='' image='' name=''
while (($#)); do
  case $1 in
    --print) print=1 ;;
    --spot) spot=1 ;;
    --tpu=*) tpu=${1#*=} ;;
    --zone=*) zone=${1#*=} ;;
    --project=*) project=${1#*=} ;;
    --bucket=*) bucket=${1#*=} ;;
    --image=*) image=${1#*=} ;;
    --name=*) name=${1#*=} ;;
    --) shift && break ;;
    *) fail "unknown argument '$1'; arguments of procsup run come after --" ;;
  esac
  shift
done
arguments=("$@")
tpu=${tpu/#v5e-/v5litepod-}

needs() {
  local flag
  for flag in "$@"; do
    [[ ${!flag} ]] || fail "xpk.sh $action needs --$flag"
  done
}

case $action in
  cluster)
    needs tpu zone project bucket
    run xpk cluster create "--cluster=$cluster" "--project=$project" "--zone=$zone" "--tpu-type=$tpu" --num-slices=1 \
      "$([[ $spot ]] && echo --spot || echo --on-demand)" --enable-workload-identity --enable-gcsfuse-csi-driver
    run xpk storage attach procsup "--cluster=$cluster" "--project=$project" "--zone=$zone" --type=gcsfuse \
      "--bucket=$bucket" "--mount-point=/gcs/$bucket" --readonly=false --size=100 --auto-mount=false
    ;;
  image)
    needs image
    run docker build -t "$image" "$root"
    run docker push "$image"
    ;;
  workload)
    needs tpu zone project bucket image name
    needs_config "${arguments[@]}"
    [[ " ${arguments[*]} " == *" --workdir="* ]] || arguments+=("--workdir=/gcs/$bucket/$name")
    command=$(printf '%q ' procsup run "${arguments[@]}")
    run xpk workload create "--workload=$name" "--cluster=$cluster" "--project=$project" "--zone=$zone" \
      "--tpu-type=$tpu" --num-slices=1 "--docker-image=$image" --storage=procsup --max-restarts=50 \
      "--env=JAX_COMPILATION_CACHE_DIR=/gcs/$bucket/$name/launch/compiled" "--command=${command% }"
    ;;
esac
