#!/usr/bin/env bash
# Train with several processes on this machine:
#   tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# Without GPUs the processes share the CPU and communicate by gloo. For several
# machines, set NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them.
set -euo pipefail
config=$1
processes=$2
shift 2
python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$processes" \
  "$(dirname "${BASH_SOURCE[0]}")/train.py" "$config" --launcher pytorch "$@"
