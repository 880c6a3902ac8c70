#!/bin/bash
# One run on the GPUs of several machines, by Slurm: sbatch experiments/launch/slurm.sh dcgan-64 photos/
# One process a GPU, as JAX expects it of Slurm: each sees all GPUs of its machine, and takes that of its own number.
# The folder of --out and the data must be seen by all machines. Not run so far.
#SBATCH --job-name=jaxgan
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --gpu-bind=none
#SBATCH --cpus-per-task=8
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --open-mode=append

# JAX reads the coordinator, the number of processes and the index from Slurm. SIGTERM, two minutes before the time is
# over or at preemption, makes all processes stop at the same step, saved.
set -u
out="${JAXGAN_OUT:-$PWD/runs/slurm-$SLURM_JOB_ID}"
run=$(ls -d "$out"/*/run.json 2>/dev/null | head -1)
if [ -n "$run" ]; then # the job was requeued
  srun --kill-on-bad-exit=1 jaxgan resume "$(dirname "$run")" --distributed
else
  srun --kill-on-bad-exit=1 jaxgan train "$@" --out "$out" --distributed
fi
status=$?
[ $status -eq 143 ] && scontrol requeue "$SLURM_JOB_ID"
exit $status
