"""The flags of commands that several processes run together."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from jaxgan.common import processes
from jaxgan.common.errors import InputError


@dataclass(frozen=True)
class Processes:
    """How several processes that run one command find each other."""

    distributed: bool = False
    """Share one run with other processes that run this command, as a rule one on each machine."""
    coordinator: str | None = None
    """With --distributed: HOST:PORT of process 0; None: as Slurm, Kubernetes or a Cloud TPU says."""
    processes: int | None = None
    """With --distributed: how many processes there are; None: as above."""
    process_index: int | None = None
    """With --distributed: which of them this is, from 0 on; None: as above."""

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Inside, this process is one of all; by default it is alone. From then on only the first prints on stdout.

        Raises:
          InputError: if the processes cannot find each other.
        """
        from jaxgan.train.stops import Diverged, Stopped

        given = [self.coordinator, self.processes, self.process_index]
        if not self.distributed:
            if given != [None] * 3:
                raise InputError(
                    "distributed: expected --distributed beside --coordinator, --processes or --process-index, got none"
                )
            yield
            return
        processes.start(*given)
        if not processes.first():
            sys.stdout.flush()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # which holds for libraries in C++ as well
        with processes.together(Diverged, Stopped):
            yield
