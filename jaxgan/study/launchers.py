"""Where cells are trained: in processes of this machine, or by Ray on several machines.

A launcher takes the cells by key, a picklable function that trains a cell, and options. It yields
(key, result) of each cell as it ends; the result of a cell whose process died is a failure. Only the
caller writes files, so a worker that is lost leaves nothing half done behind.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Literal

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.study.results import CellResult
from jaxgan.study.spec import Cell

Run = Callable[[Cell], CellResult]


@dataclass(frozen=True)
class LaunchOptions:
    """How cells are spread over processes or machines."""

    launcher: Literal["local", "ray"] = "local"
    """local: processes of this machine; ray: a Ray cluster."""
    workers: int | None = None
    """Processes of the local launcher; None: one for each GPU, or without GPUs one with all devices."""
    retry_failed: bool = False
    """Train the cells again that failed before."""
    ray_address: str | None = None
    """Address of a Ray cluster, or auto; None: start Ray on this machine."""
    ray_cpus: float = 1.0
    """CPUs that Ray reserves for each cell."""
    ray_gpus: float | None = None
    """GPUs that Ray reserves for each cell; None: one if the cluster has any."""
    ray_retries: int = 3
    """How often Ray starts a cell again, on another machine if need be, when its worker is lost."""


# --- processes of this machine -------------------------------------------------------------------


class _Worker:
    """A process that trains one cell at a time; what kills it does not kill the study."""

    def __init__(self, run: Run, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")  # XLA's threads do not survive a fork
        self.environment = environment
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, run, environment), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends when the process does
        self.key, self._began, self._busy = "", 0.0, False

    def begin(self, key: str, cell: Cell) -> None:
        self.key, self._began, self._busy = key, time.monotonic(), True
        with contextlib.suppress(OSError):  # it is dead: result() will say so
            self.connection.send(cell)

    def result(self, cell: Cell) -> CellResult:
        """The result that the worker has sent, or a failure that says how the worker died."""
        try:
            found = self.connection.recv()
            self._busy = False
            return found
        except (EOFError, OSError):
            self.process.join()
            return CellResult.failure(
                cell,
                self.key,
                f"the worker process died: {_cause(self.process.exitcode)}",
                seconds=time.monotonic() - self._began,
            )

    def stop(self) -> None:
        self.connection.close()
        if not self._busy:  # it ends by itself when its pipe does
            self.process.join(timeout=10)
        self.process.kill()
        self.process.join()
        self.process.close()


def _work(pipe: connection.Connection, run: Run, environment: Mapping[str, str]) -> None:
    """What a worker process does from start to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    os.environ.update(environment)  # before JAX looks for devices
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import jax

    with contextlib.suppress(EOFError, OSError):  # the study has ended
        while True:
            pipe.send(run(pipe.recv()))
            jax.clear_caches()  # programs of one cell do not fit another


def _end_with_parent() -> None:
    """Ends this worker when its study is killed, so that it does not compete with the study started again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _cause(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit status {exitcode}"
    name = signal.Signals(-exitcode).name
    return name + (", perhaps because memory ran out" if name == "SIGKILL" else "")


def local(cells: Mapping[str, Cell], run: Run, options: LaunchOptions) -> Iterator[tuple[str, CellResult]]:
    """Trains cells in worker processes of this machine, each with its own devices."""
    check_range("workers", options.workers, at_least=1)
    waiting = list(cells.items())[::-1]
    environments = device_groups(options.workers, visible_gpus())[: len(waiting)]
    workers = [_Worker(run, environment) for environment in environments]
    try:
        for worker in workers:
            worker.begin(*waiting.pop())
        while workers:
            ready = connection.wait([worker.connection for worker in workers])
            for i in range(len(workers) - 1, -1, -1):
                if workers[i].connection not in ready:
                    continue
                worker, key = workers[i], workers[i].key
                result = worker.result(cells[key])
                died = worker.process.exitcode is not None
                if died or not waiting:
                    worker.stop()
                    del workers[i]
                if died and waiting:
                    worker = _Worker(run, worker.environment)
                    workers.append(worker)
                if waiting:
                    worker.begin(*waiting.pop())
                yield key, result
    finally:
        for worker in workers:
            worker.stop()


def visible_gpus() -> list[str]:
    """Ids of the NVIDIA GPUs that processes started here will see, without starting JAX on them."""
    if "cpu" in os.environ.get("JAX_PLATFORMS", "").split(","):
        return []
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [i for i in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if i.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    return [str(i) for i, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def device_groups(workers: int | None, gpus: list[str]) -> list[dict[str, str]]:
    """Environment variables for each worker: the GPUs are dealt out, or shared if there are more workers."""
    count = workers or max(1, len(gpus))
    if not gpus or count == 1:
        return [{} for _ in range(count)]
    if count <= len(gpus):
        return [{"CUDA_VISIBLE_DEVICES": ",".join(gpus[i::count])} for i in range(count)]
    share = f"{0.9 / -(-count // len(gpus)):.3f}"
    return [
        {"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)], "XLA_PYTHON_CLIENT_MEM_FRACTION": share}
        for i in range(count)
    ]


# --- several machines ----------------------------------------------------------------------------


def ray(cells: Mapping[str, Cell], run: Run, options: LaunchOptions) -> Iterator[tuple[str, CellResult]]:
    """Trains cells as tasks of a Ray cluster; the cell of a lost worker starts again on another.

    All machines must have the same version of jaxgan, and have data and files of the user's own losses
    under the same paths.
    """
    try:
        import ray as cluster
    except ImportError as error:
        raise InputError("launcher: ray is not installed; pip install 'jaxgan[ray]'") from error
    ours = not cluster.is_initialized()
    if ours:
        _reach(options.ray_address)
        try:
            here: dict[str, Any] = {} if options.ray_address else {"include_dashboard": False}
            cluster.init(options.ray_address, log_to_driver=False, logging_level=logging.WARNING, **here)
        except (ConnectionError, ValueError) as error:
            raise InputError(f"ray_address: no Ray cluster at {options.ray_address!r}: {error}") from error
    try:
        gpus = options.ray_gpus
        if gpus is None:
            gpus = 1.0 if cluster.cluster_resources().get("GPU") else 0.0
        task = cluster.remote(max_retries=options.ray_retries, num_cpus=options.ray_cpus, num_gpus=gpus)(
            run_task
        )
        keys = {task.remote(run, cell): key for key, cell in cells.items()}
        left = list(keys)
        while left:
            (done,), left = cluster.wait(left, num_returns=1)
            key = keys.pop(done)
            yield key, _fetched(cluster, done, cells[key], key)
    finally:
        if ours:
            cluster.shutdown()


def run_task(run: Run, cell: Cell) -> CellResult:
    """Trains a cell in a Ray worker."""
    return run(cell)


def _reach(address: str | None) -> None:
    """Raises InputError if nothing answers at an address; Ray itself would try for many minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise InputError(f"ray_address: expected a Ray cluster at {address!r}: {error}") from error


def _fetched(cluster: Any, reference: Any, cell: Cell, key: str) -> CellResult:
    try:
        return cluster.get(reference)
    except cluster.exceptions.RayError as error:  # lost too often, or not importable there
        lines = [line for line in str(error).splitlines() if line.strip()]
        return CellResult.failure(
            cell, key, f"Ray: {type(error).__name__}: {lines[0] if lines else ''}", str(error)
        )


Launcher = Callable[[Mapping[str, Cell], Run, LaunchOptions], Iterator[tuple[str, CellResult]]]

LAUNCHERS: dict[str, Launcher] = {"local": local, "ray": ray}
