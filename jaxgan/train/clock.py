"""What interrupts the training loop: intervals of steps, and signals."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgan.common import processes
from jaxgan.common.devices import batch_sharded, in_parts, local, put_rows, replicated
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.data import Pipeline
from jaxgan.train.stops import Interrupted

_FIRST_GRID = 16
_HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # not everywhere


class Clock:
    """Says what is due at a step, and how long the steps since the last interval took."""

    def __init__(self, config: Config, repeat: int, step: int) -> None:
        """Starts at `step`; `repeat` steps make one dispatch."""
        self._config, self._repeat, self._grids = config, repeat, grid_steps(config, repeat)
        self.restart(step)

    def restart(self, step: int) -> None:
        """Measures from now on."""
        self._begun = time.monotonic()
        self._runs = step, self._begun

    def compiled(self, step: int) -> None:
        """Counts images from this step on: the time before it was spent on compiling."""
        self._runs = step, time.monotonic()

    def read(self, step: int) -> tuple[float, float]:
        """Seconds since the last restart, and images that the discriminator saw in one second.

        The dispatch that was compiled is not among the images, unless it is the only one.
        """
        now, config = time.monotonic(), self._config
        since, begun = self._runs
        if since == step:
            since, begun = since - self._repeat, self._begun
        images = (step - since) * config.batch_size * config.d_steps
        return now - self._begun, images / max(now - begun, 1e-9)

    def due(self, step: int, stop: bool) -> set[str]:
        """What is due at a step, of "log", "evaluate", "sample" and "save". With `stop` a checkpoint is due."""
        config, last = self._config, step >= self._config.steps
        due = set()
        if last or step % config.evaluate_every == 0:
            due |= {"evaluate", "save"}
        if stop or step % config.checkpoint_every == 0:
            due.add("save")
        if last or step in self._grids or step % config.sample_every == 0:
            due.add("sample")
        if step % config.log_every == 0:
            due.add("log")
        return due


def grid_steps(config: Config, repeat: int) -> set[int]:
    """Steps before `sample_every` at which a grid is drawn; each is twice the one before."""
    steps, step = set(), -(-_FIRST_GRID // repeat) * repeat
    while step < config.sample_every:
        steps.add(step)
        step *= 2
    return steps


def steps_per_dispatch(config: Config, pipeline: Pipeline, backend: str, starts: Sequence[int] = ()) -> int:
    """How many steps one program makes. It divides every interval and start, so that each of them ends with a program.

    Args:
      config: of the run.
      pipeline: which gives the program its data.
      backend: platform of the devices, such as "cpu".
      starts: steps at which training may begin, besides 0.

    Raises:
      InputError: if the configuration asks for a number that cannot be.
    """
    intervals = (
        config.steps,
        config.log_every,
        config.sample_every,
        config.checkpoint_every,
        config.evaluate_every,
    )
    common = math.gcd(*intervals)
    asked = config.compute.steps_per_dispatch
    if pipeline.streams or config.compute.how == "pmap":
        if asked not in (None, 1):
            raise InputError(
                f"compute.steps_per_dispatch: expected 1 with pmap or streamed data, got {asked}"
            )
        return 1
    if asked is not None:
        if common % asked:
            raise InputError(
                f"compute.steps_per_dispatch: expected a divisor of all intervals and of steps ({common}), got {asked}"
            )
        return math.gcd(asked, *starts)
    most = 1 if backend == "cpu" and config.model.convolutional else 16
    return max(k for k in range(1, most + 1) if math.gcd(common, *starts) % k == 0)


class _Exchange:
    """A number of each process, of which all learn the largest when they give their next ones.

    A process waits for the others' numbers of the time before, so that it is at most one dispatch ahead of them.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh, self._sent = mesh, None
        self._largest = jax.jit(jnp.max, out_shardings=replicated(mesh))

    def __call__(self, mine: int) -> int:
        n = len(self._mesh.local_devices)
        given = put_rows(np.full(n, mine, np.int32), self._mesh.size, batch_sharded(self._mesh))
        before, self._sent = self._sent, self._largest(given)
        return 0 if before is None else int(local(before))


def _sums(mesh: Mesh) -> list[jax.Array]:
    """Sums along each axis of a mesh: to make them, the devices along it have to find each other."""
    axes = mesh.axis_names
    n = len(mesh.local_devices)
    ones = put_rows(np.ones(n, np.int32), mesh.size, batch_sharded(mesh))
    kept = [jax.P(tuple(other for other in axes if other != axis)) for axis in axes]
    summed = lambda x: [jax.lax.psum(x, axis) for axis in axes]
    return jax.jit(jax.shard_map(summed, mesh=mesh, in_specs=jax.P(axes), out_specs=kept))(ones)


@dataclass
class Signals:
    """SIGINT, SIGTERM and SIGHUP ask the loop to stop after the step; a second one ends the process at once.

    A terminal that closes may send SIGHUP more than once, as by the shell and by the kernel: only the first one counts.
    Where it is ignored, as under nohup, it stays so.

    Of several processes all stop at the same step, whichever of them is asked.

    Attributes:
      mesh: devices of all processes; None where there is one process.
      received: the signal by which all stop.
    """

    mesh: Mesh | None = None
    received: int | None = None
    _own: int | None = None  # that came to this process
    _exchange: _Exchange | None = None
    _before: dict[int, Any] = field(default_factory=dict)

    def meet(self) -> None:
        """Connects the devices of all processes, once all are here."""
        if processes.several() and self.mesh is not None:
            processes.wait()
            if in_parts(self.mesh):  # whose programs have groups of fewer devices, too
                jax.block_until_ready(_sums(self.mesh))
            self._exchange = _Exchange(self.mesh)
            for _ in range(2):  # the second call waits for the first
                self._exchange(0)

    def __enter__(self) -> Signals:
        """Takes over the signals."""
        with contextlib.suppress(ValueError):  # not in the main thread: whoever runs us handles signals
            for signum in (signal.SIGINT, signal.SIGTERM, *_HANGUP):
                if signum in _HANGUP and signal.getsignal(signum) == signal.SIG_IGN:
                    continue
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def poll(self) -> None:
        """Raises Interrupted if a signal has come. Work that takes longer than a step and changes nothing calls it."""
        if self.received is not None or (processes.several() and processes.asked()):
            raise Interrupted

    def after_dispatch(self) -> bool:
        """Whether to stop here. Each of several processes asks after every dispatch, and all get the same answer."""
        if self._exchange is not None and self.received is None:
            self.received = self._exchange(self._own or 0) or None
        return self.received is not None

    def stop(self) -> bool:
        """Whether to stop here. Several processes ask together, and wait for each other."""
        if processes.several() and self.received is None:
            self.received = max(map(int, processes.gathered(str(self._own or 0)))) or None
        return self.received is not None

    def interrupted(self, here: bool) -> bool:
        """Whether work counts as interrupted; `here` says if it was in this process. All processes ask together."""
        return self.stop() if processes.several() else here

    def _handle(self, signum: int, frame: Any) -> None:
        if self._own is not None:
            if signum in _HANGUP:
                return
            signal.signal(signum, self._before[signum])
            os.kill(os.getpid(), signum)
        self._own = signum
        if processes.several():
            processes.ask(signum)
        else:
            self.received = signum

    def __exit__(self, *_: object) -> None:
        """Gives the signals back to whoever handled them before."""
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
