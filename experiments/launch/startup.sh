#!/usr/bin/env bash
# What every worker of a TPU VM does when it starts: mount the bucket, build the image, run procsup. See tpu_vm.sh.
set -euo pipefail
exec > >(tee -a /var/log/procsup.log) 2>&1

metadata() {
  curl -sf -H 'Metadata-Flavor: Google' "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}

workdir=$(metadata procsup-workdir)
mapfile -t arguments < <(metadata procsup-arguments)
worker=$(metadata agent-worker-number || echo 0)
bucket=${workdir#gs://}
bucket=${bucket%%/*}
mount=/gcs/$bucket
folder=/gcs/${workdir#gs://}

if ! command -v gcsfuse >/dev/null; then
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  keyring=/usr/share/keyrings/cloud.google.asc
  curl -sf https://packages.cloud.google.com/apt/doc/apt-key.gpg -o "$keyring"
  echo "deb [signed-by=$keyring] https://packages.cloud.google.com/apt gcsfuse-$codename main" \
    >/etc/apt/sources.list.d/gcsfuse.list
  apt-get -q -o DPkg::Lock::Timeout=600 update
  apt-get -q -o DPkg::Lock::Timeout=600 install -y gcsfuse
fi
mkdir -p "$mount"
mountpoint -q "$mount" || gcsfuse --implicit-dirs "$bucket" "$mount"

code=/opt/procsup
mkdir -p "$code"
tar -xzf "$folder/launch/code.tar.gz" -C "$code"
docker build -q -t procsup "$code"
docker rm -f procsup >/dev/null 2>&1 || true # left by a crash

# Compiled programs are kept beside the run, so that a machine created anew does not compile them again.
run_once() {
  docker run --rm --privileged --net=host --stop-timeout=30 --name=procsup \
    -v "$mount:$mount" -e JAX_COMPILATION_CACHE_DIR="$folder/launch/compiled" \
    procsup "${arguments[@]}" "--workdir=$folder"
}

# Each host runs one of the run's processes. When one of them is lost, by a crash (134, 139) or for want of memory (137),
# the others end with 75: all start again, and go on from what is finished. A shutdown ends this script before that.
status=0 starts=0
while true; do
  status=0
  run_once || status=$?
  case $status in
    75 | 134 | 137 | 139) ;;
    *) break ;;
  esac
  starts=$((starts + 1))
  if ((starts > ${PROCSUP_RESTARTS:-20})); then
    break
  fi
  echo "startup.sh: procsup ended with $status, start $starts after it"
  sleep 10
done

cp /var/log/procsup.log "$folder/launch/log-$worker"
# Stopped by a shutdown (130, 137, 143) is not ended: the next machine goes on.
case $status in
  130 | 137 | 143) ;;
  *) echo "$status" >"$folder/launch/exit-$worker" ;;
esac
