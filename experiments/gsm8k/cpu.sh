#!/usr/bin/env bash
# The :cpu tier on two cores: one run in two processes, a core for each.
#
#   experiments/gsm8k/cpu.sh DATA WORKDIR [--flag=value ...]
#
# To be started in the repository. DATA holds gsm8k/, ood/ and processbench/ with the sets' published files; further flags
# are those of `procsup run`. The same command goes on where it was interrupted. It ends as the first process does; what
# the second one prints is in WORKDIR.log.
set -euo pipefail
data=$1 workdir=$2
shift 2
export GLIBC_TUNABLES="${GLIBC_TUNABLES-glibc.malloc.hugetlb=1}"
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
run=(python -m procsup_jax run --config=configs/gsm8k_smollm2.py:cpu --workdir="$workdir" --config.mesh.data=2
  --config.data.path="$data/gsm8k" --config.data.ood_path="$data/ood/math_prealgebra_test.jsonl"
  --config.data.svamp_path="$data/ood/svamp.jsonl" --config.data.asdiv_path="$data/ood/asdiv.jsonl"
  --config.data.multiarith_path="$data/ood/multiarith.jsonl" --config.data.processbench_path="$data/processbench/gsm8k.jsonl"
  --coordinator="127.0.0.1:$port" --num_processes=2 "$@")
mkdir -p "$(dirname "$workdir")"
taskset -c 1 "${run[@]}" --process_id=1 >"$workdir.log" 2>&1 &
code=0
taskset -c 0 "${run[@]}" --process_id=0 || code=$?
wait
exit "$code"
