#!/bin/bash
# One run on all machines of a Cloud TPU slice: experiments/launch/tpu_vm.sh NAME ZONE dcgan-64 /shared/photos
# JAX finds the machines by itself. /shared must be one file system for all of them (Filestore). Not run so far.
set -eu
name=$1 zone=$2
shift 2
on_all() { gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker all --command "$1"; }
on_all "pip install -q 'jaxgan[tpu] @ git+${JAXGAN_GIT:?address of the repository}'"
on_all "jaxgan train ${*@Q} --out /shared/runs --distributed"
# After a preemption: on_all "jaxgan resume /shared/runs/00000-NAME --distributed"
