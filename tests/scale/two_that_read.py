"""One of two processes that read the checkpoints of both: python two_that_read.py INDEX PORT FOLDER.

Process 1 cannot read checkpoint 3. Each leaves a file said-INDEX with what it got.
"""

import json
import os
import pathlib
import sys
import time

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxgan.common import processes
from jaxgan.common.devices import make_mesh, put, replicated
from jaxgan.runs.checkpoint import Checkpoints, abstract
from jaxgan.train.clock import Signals

index, folder, said = int(sys.argv[1]), pathlib.Path(sys.argv[3]), {}
jax.config.update("jax_num_cpu_devices", 2)
processes.start(f"127.0.0.1:{sys.argv[2]}", 2, index)


def attempt(name, do):
    try:
        said[name] = do()
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"


def unreadable(self, place, *, args):
    if place.parent.name == "3":
        raise OSError(5, "Input/output error", str(place))
    return restore(self, place, args=args)


mesh = make_mesh(fsdp=2)
Signals(mesh).meet()
os.write(1, b"have met\n")
halves = jax.NamedSharding(mesh, jax.P("data"))  # one in each process
state = {"x": put(np.arange(4096.0, dtype=np.float32), halves), "y": put(np.ones(3), replicated(mesh))}
jax.block_until_ready(jax.jit(lambda x: x, out_shardings=replicated(mesh))(state["x"]))
os.write(1, b"gathered\n")
checkpoints = Checkpoints(folder)
for step in (2, 3):
    checkpoints.save(step, state, {"step": step})
    checkpoints.wait()
restore = ocp.StandardCheckpointHandler.restore
if index == 1:
    ocp.StandardCheckpointHandler.restore = unreadable
like = abstract(state, jax.tree.map(lambda x: x.sharding, state))
for step in (3, 2):
    attempt(f"read {step}", lambda step=step: checkpoints.read(step, like)[1])
attempt("aside", lambda: checkpoints.set_aside(3) or checkpoints.steps())
processes.wait()
attempt("late", lambda: processes.by_all(lambda: time.sleep(3 * index), within=1))
(folder / f"said-{index}").write_text(json.dumps(said))
