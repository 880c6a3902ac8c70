"""Runs a command of jaxgan in several processes of this machine, which train one run together.

Command: python experiments/launch/local.py -n 2 -- jaxgan train mlp-mnist --steps 1000
Hardware: any CPU. On a machine with several GPUs one process has them all: there is nothing to launch.
Takes: as long as the command; each process has its own start and compilation.
Result: one run folder, as of one process with as many devices. Where a process dies, all end within seconds, and a
line says which; --max-restarts K goes on up to K times, from the last checkpoint.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO

GRACE = 3.0
"""Seconds in which the others may say what they know, once one has died."""
LOST = 75
"""Status of a process that ends as another one has."""
_STOPPED = {129, 130, 143}
_FINAL = {0, 1, 2, *_STOPPED}  # done, diverged, bad input: nothing that another try would change


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command in all processes; returns the status of the first that failed, or 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, required=True, help="number of processes")
    parser.add_argument("--devices", type=int, default=1, help="CPU devices of each")
    parser.add_argument("--max-restarts", type=int, default=0, help="how often to go on after a death")
    parser.add_argument("command", nargs="+", help="after --: jaxgan train ... or jaxgan resume RUN")
    given = parser.parse_args(args)
    for name, least in {"n": 1, "devices": 1, "max_restarts": 0}.items():
        if getattr(given, name) < least:
            parser.error(f"{name}: expected at least {least}, got {getattr(given, name)}")
    if pathlib.Path(given.command[0]).name != "jaxgan" or given.command[1:2] not in (["train"], ["resume"]):
        parser.error(
            f"command: expected jaxgan train ... or jaxgan resume RUN, got {' '.join(given.command)!r}"
        )
    command, restarts = list(given.command), 0
    while True:
        with Group(given.n, given.devices) as group:
            group.start(command)
            status = group.ended()
        if status in _FINAL or group.asked or restarts >= given.max_restarts:
            if status not in _FINAL and not group.asked and group.run is not None:
                say(f"to go on: jaxgan resume {group.run}, launched as this was")
            return status if status >= 0 else 128 - status
        restarts += 1
        if group.run is not None and command[1:2] != ["resume"]:  # which is tried again with its flags
            command = ["jaxgan", "resume", group.run]
        say(f"restart {restarts} of {given.max_restarts}: {' '.join(command)}")


def say(text: str) -> None:
    """Prints a line of the launcher's own."""
    print(f"launcher: {text}", file=sys.stderr, flush=True)


class Group:
    """The processes of one try; inside, they get the signals that this one gets.

    Attributes:
      run: folder of the run that they make; None as long as there is none.
      asked: the signal to end that came; 0 as long as none did.
    """

    def __init__(self, n: int, devices: int) -> None:
        """Starts nothing yet."""
        self.asked, self.run = 0, None
        self._n, self._devices, self._before = n, devices, {}
        self._all, self._echoes = [], []

    def __enter__(self) -> Group:
        """Takes the signals."""
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[signum] = signal.signal(signum, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        """Gives them back."""
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def start(self, command: Sequence[str]) -> None:
        """Starts them, each in a session of its own: what a terminal signals comes to the launcher alone."""
        where = f"127.0.0.1:{free_port()}"
        program = [sys.executable, "-m", "jaxgan"]
        env = {**os.environ, "JAX_NUM_CPU_DEVICES": str(self._devices), "PYTHONUNBUFFERED": "1"}
        for i in range(self._n):
            if self.asked:
                return
            flags = f"--distributed --coordinator {where} --processes {self._n} --process-index {i}".split()
            words, pipe = [*program, *command[1:], *flags], subprocess.PIPE
            one = subprocess.Popen(
                words, env=env, stdout=pipe, stderr=pipe, errors="replace", start_new_session=True
            )
            self._all.append(one)
            if self.asked:  # as it was started
                one.send_signal(self.asked)
            for stream, out in ((one.stdout, sys.stdout), (one.stderr, sys.stderr)):
                self._echoes.append(threading.Thread(target=self._echo, args=(stream, out, i), daemon=True))
                self._echoes[-1].start()

    def _echo(self, stream: IO[str], out: IO[str], i: int) -> None:
        with stream:
            for line in stream:
                if "peer ranks" in line:  # by Gloo, of every group of devices that finds itself
                    continue
                found = re.match(r"run: (.+)", line)
                if i == 0 and found and (pathlib.Path(found[1]) / "run.json").exists():
                    self.run = found[1]
                try:
                    out.write(f"[{i}] {line}" if i else line)
                    out.flush()
                except (OSError, ValueError):  # nobody reads, or has no such letters; the processes go on
                    continue

    def _pass_on(self, signum: int, frame: object) -> None:
        self.asked = signum
        self._send(signum)

    def _send(self, signum: int) -> None:
        for one in self._all:
            if one.poll() is None:
                one.send_signal(signum)

    def ended(self) -> int:
        """The status of the first process that failed, once all have ended; 0 if none did."""
        status, until = 0, float("inf")
        while None in [one.poll() for one in self._all]:
            if status == 0 and (failed := self._failed()):
                i, status = failed
                if status not in _STOPPED:  # then all of them stop, and need time to save
                    until = time.monotonic() + GRACE
                    say(f"process {i} of {len(self._all)} {how(status)}; ending the others")
            if time.monotonic() > until:
                self._send(signal.SIGKILL)
            time.sleep(0.05)
        for echo in self._echoes:
            echo.join()
        unbegun = 128 + self.asked if len(self._all) < self._n else 0
        return status or (self._failed() or (0, unbegun))[1]

    def _failed(self) -> tuple[int, int] | None:
        """Number and status of a process that failed, if one did by itself of such a one."""
        failed = [(i, one.returncode) for i, one in enumerate(self._all) if one.returncode]
        return min(failed, key=lambda end: end[1] == LOST, default=None)


def how(status: int) -> str:
    """How a process ended, in words."""
    return f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
