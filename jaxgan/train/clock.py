"""What interrupts the training loop: intervals of steps, and signals."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any

from jaxgan.config.config import Config

_FIRST_GRID = 16


class Clock:
    """What is due at a step, and how long the steps since the last interval took."""

    def __init__(self, config: Config, repeat: int, step: int) -> None:
        """Starts at `step`; `repeat` steps make one dispatch."""
        self._config, self._grids = config, grid_steps(config, repeat)
        self.restart(step)

    def restart(self, step: int) -> None:
        """Measures from now on."""
        self._since, self._begun = step, time.monotonic()

    def read(self, step: int) -> tuple[float, float]:
        """Seconds since the last restart, and images that the discriminator saw in one of them."""
        seconds, config = time.monotonic() - self._begun, self._config
        images = (step - self._since) * config.batch_size * config.d_steps
        return seconds, images / max(seconds, 1e-9)

    def due(self, step: int, stop: bool) -> set[str]:
        """Of "log", "evaluate", "sample" and "save"; `stop` asks for a checkpoint."""
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
    """Steps below `sample_every` with a grid: doubling up to it."""
    steps, step = set(), -(-_FIRST_GRID // repeat) * repeat
    while step < config.sample_every:
        steps.add(step)
        step *= 2
    return steps


@dataclass
class Signals:
    """SIGINT and SIGTERM ask the loop to stop after the step; a second one ends the process at once."""

    received: int | None = None
    _before: dict[int, Any] = field(default_factory=dict)

    def __enter__(self) -> Signals:
        """Takes the signals."""
        with contextlib.suppress(ValueError):  # not in the main thread: whoever runs us handles signals
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def _handle(self, signum: int, frame: Any) -> None:
        if self.received is not None:
            signal.signal(signum, self._before[signum])
            os.kill(os.getpid(), signum)
        self.received = signum

    def __exit__(self, *_: object) -> None:
        """Gives them back."""
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
