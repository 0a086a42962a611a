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
status=0
docker run --rm --privileged --net=host --stop-timeout=30 --name=procsup \
  -v "$mount:$mount" -e JAX_COMPILATION_CACHE_DIR="$folder/launch/compiled" \
  procsup "${arguments[@]}" "--workdir=$folder" || status=$?

cp /var/log/procsup.log "$folder/launch/log-$worker"
# Stopped by a shutdown (130, 137, 143) is not ended: the next machine goes on.
case $status in
  130 | 137 | 143) ;;
  *) echo "$status" >"$folder/launch/exit-$worker" ;;
esac
