#!/usr/bin/env bash
# Starts NVIDIA's Multi-Process Service on a worker that allows it, so that trials which share a GPU compute at once.
#
#     mps.sh          with SDD_MPS=1 in ~/.sdd-study.env, before `ray start`
#
# Without it a GPU serves the processes by turns. It has to be asked for: a fault of one trial on the GPU ends those
# beside it, too (they go on from their checkpoints). A daemon that runs already is left alone; where none can be
# started, a line says so, and trials share the GPU by turns.
set -euo pipefail

[ "${SDD_MPS:-0}" = 1 ] || exit 0
if ! command -v nvidia-cuda-mps-control >/dev/null; then
    echo "SDD_MPS=1, and nvidia-cuda-mps-control is not there: trials share a GPU by turns"
    exit 0
fi
export CUDA_MPS_PIPE_DIRECTORY=${CUDA_MPS_PIPE_DIRECTORY:-/tmp/nvidia-mps}
if [ -p "$CUDA_MPS_PIPE_DIRECTORY/control" ] && echo get_server_list | timeout 10 nvidia-cuda-mps-control >/dev/null 2>&1; then
    exit 0
fi
if said=$(timeout 20 nvidia-cuda-mps-control -d 2>&1); then
    echo "trials share a GPU by NVIDIA's Multi-Process Service"
else
    echo "NVIDIA's Multi-Process Service does not start, trials share a GPU by turns: ${said%%$'\n'*}"
fi
