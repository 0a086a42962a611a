#!/usr/bin/env bash
# One piece of the :gpu tier: what a machine that is lent for minutes does of the run, and hands on.
#
#   experiments/gsm8k/piece.sh DATA IN OUT [MODEL ...]
#
# DATA holds GSM8K's files; IN what was carried here: base.gguf.part-* (`split -b 55m` of SmolLM2's GGUF file) where
# models/smollm2 is not there yet, and in IN/run the parts of the piece before; neither has to be. The run then goes on
# for SECONDS_OF_PIECE (420 unless set), and its files, with the MODELs named, are packed into OUT in parts of under 60 MB.
# Ends with 0 when the run has ended, with 124 when another piece has to follow.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=$1 in=$2 out=$3
shift 3
run=runs/gsm8k_smollm2_gpu
if [ ! -e models/smollm2/model.json ]; then
  mkdir -p models
  cat "$in"/base.gguf.part-* >models/smollm2.gguf
  python -m procsup_jax convert --input=models/smollm2.gguf --output=models/smollm2 --to=procsup
fi
if [ ! -e "$run/stages" ] && [ -e "$in/run/parts.json" ]; then
  python experiments/gsm8k/carry.py join "$in/run" "$run"
fi
code=0
timeout --signal=TERM --kill-after=20 "${SECONDS_OF_PIECE:-420}" \
  python -m procsup_jax run --config=configs/gsm8k_smollm2.py:gpu --config.data.path="$data" --workdir="$run" || code=$?
python experiments/gsm8k/carry.py pack "$run" "$out/run" --models "$@"
if [ -e "$run/results.json" ]; then
  python experiments/gsm8k/result_tables.py "$run" --output="$out/gpu.md"
  cp "$run/results.json" "$out/"
fi
exit "$code"
