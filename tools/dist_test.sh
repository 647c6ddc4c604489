#!/usr/bin/env bash
# Test with several processes on this machine:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
set -euo pipefail
config=$1
checkpoint=$2
processes=$3
shift 3
python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$processes" \
  "$(dirname "${BASH_SOURCE[0]}")/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
