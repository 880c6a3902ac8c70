"""Who trains in a run's folder: one process at a time, on any file system that several machines may share.

The lock is a file that is created only where there is none (which network file systems do in one piece, while their
`flock` may be a no-op) and touched as long as its owner lives. On the owner's own machine the process tells whether
it is stale; from any other, the time since it was last touched, by the clock of the file system itself.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import math
import os
import pathlib
import platform
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable, read_bytes
from jaxgan.common.progress import duration
from jaxgan.common.schema import Count, check, parsed_json

NAME = "run.lock"
BEAT = 15.0
"""Seconds between two touches."""
STALE = 300.0
"""Seconds without a touch after which an owner on another machine is taken for dead."""
_LARGEST = 2**16  # bytes of a lock, which has some hundred
_TRIES, _PAUSE = 100, 0.05  # of taking a stale lock while others take it too; seconds between two

_held: dict[pathlib.Path, str] = {}  # the tokens of this process, by the file of the lock


class TakenOver(InputError):
    """A run of this process is another's by now: nothing may be written in its folder any more."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
      host: name of the machine.
      pid: of the process.
      machine: identity of the machine, its boot and its space of process numbers.
      born: when the process began, by its machine; None where nothing says so.
      token: of this lock alone.
      since: seconds since the lock was taken.
      silent: seconds since the owner last gave a sign of life.
    """

    host: str
    pid: int
    machine: str
    born: str | None
    token: str
    since: float
    silent: float

    def __str__(self) -> str:
        """The owner in words."""
        return (
            f"process {self.pid} on {self.host}, which took it {duration(self.since)} ago and gave its last sign of "
            f"life {duration(self.silent)} ago"
        )

    @property
    def alive(self) -> bool:
        """Whether the owner must be taken for alive."""
        if os.name == "posix" and self.machine == _machine():  # one that was suspended is silent, and alive
            return _lives(self.pid, self.born)
        return self.silent < STALE


def owner_of(path: pathlib.Path) -> Owner | None:
    """Who trains in the folder `path` now; None if nobody does."""
    owner = _read(path / NAME)
    return owner if owner is not None and owner.alive else None


def check_held(path: pathlib.Path) -> None:
    """Raises TakenOver if this process took the lock of the folder `path`, and another has it now.

    One that was removed by hand is made again; one that cannot be read now is still held.
    """
    file = (path / NAME).absolute()
    token = _held.get(file)
    if token is None:
        return
    owner = _read(file)
    if owner is None and not file.exists() and path.exists():
        with contextlib.suppress(OSError):
            _create(file, token)
        owner = _read(file)
    if owner is not None and owner.token not in ("", token):
        raise TakenOver(
            f"run: the lock of {str(path)!r} was taken over by {owner}, as this process seemed dead; it stops, and "
            "writes nothing more"
        )


@contextlib.contextmanager
def locked(*paths: pathlib.Path) -> Iterator[None]:
    """Holds the locks of run folders; stale ones are taken over.

    Whoever finds that its own was taken over is stopped, as by SIGTERM, and writes nothing more: see `check_held`.
    Of several processes that make a run together the first one holds them, for all.

    Raises:
      InputError: if a living process holds one; the message says which process, and since when.
      OSError: if a folder cannot be written.
    """
    if not processes.first():
        yield
        return
    held: list[tuple[pathlib.Path, str]] = []
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(held, done), daemon=True)
    try:
        for path in paths:
            token = _take(path / NAME)
            held.append((path / NAME, token))
            _held[(path / NAME).absolute()] = token
        beating.start()
        yield
    finally:
        done.set()
        for file, token in held:
            _held.pop(file.absolute(), None)
            owner = _read(file)
            if owner is not None and owner.token == token:  # and not of who took it for dead
                with contextlib.suppress(OSError):
                    file.unlink()


def _take(file: pathlib.Path) -> str:
    """Makes the lock, and returns its token."""
    token = secrets.token_hex(8)
    for _ in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            _create(file, token)
            return token
        owner = _read(file)
        if owner is None:  # released in this moment
            continue
        if owner.alive:
            raise InputError(
                f"run: {str(file.parent)!r} is in use by {owner}; wait for it or stop it (if it is surely gone, remove "
                f"{str(file)!r})"
            )
        if _replaced(file, owner.token, token):
            return token
        time.sleep(_PAUSE)
    raise InputError(f"run: {str(file)!r} changes hands all the time; try again")


def _content(token: str) -> str:
    """Of a lock of this process."""
    content = {"host": platform.node(), "pid": os.getpid(), "machine": _machine(), "token": token}
    return json.dumps(content | {"born": _born(os.getpid()), "taken": time.time()})


def _create(file: pathlib.Path, token: str) -> None:
    """Makes a lock where there is none. Raises FileExistsError if there is one."""
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644), "w") as opened:
        opened.write(_content(token))


def _replaced(file: pathlib.Path, stale: str, token: str) -> bool:
    """Puts a lock in the place of the stale one with the token `stale`; False if it was not there any more.

    Only who holds the claim to a token may replace its lock, and looks again before: of many, one does.
    """
    claim = file.with_name(f"{NAME}-of-{stale or 'nobody'}")
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:  # another is about to do it; or died as it was
        with contextlib.suppress(OSError):
            if _now(file, 0.0) - claim.stat().st_mtime > STALE:
                claim.unlink()
        return False
    try:
        owner = _read(file)
        if owner is None or owner.token != stale or owner.alive:
            return False
        mine = file.with_name(f"{NAME}-{secrets.token_hex(4)}")
        mine.write_text(_content(token))
        os.replace(mine, file)
        return True
    finally:
        claim.unlink(missing_ok=True)


def _beat(held: Sequence[tuple[pathlib.Path, str]], done: threading.Event) -> None:
    while not done.wait(BEAT):
        for file, token in held:
            owner = _read(file)
            if owner is not None and owner.token == token:
                with contextlib.suppress(OSError):
                    os.utime(file)
            elif owner is not None and owner.token:  # this machine was suspended, say, and taken for dead
                print(f"warning: {str(file.parent)!r} is now trained by {owner}: stopping", file=sys.stderr)
                _thread.interrupt_main(signal.SIGTERM)  # which does nothing where nobody handles it
                return


def _read(file: pathlib.Path) -> Owner | None:
    """The owner that a lock names; None if there is no lock."""
    try:
        touched = file.stat().st_mtime
        text = read_bytes("run", file, largest=_LARGEST)
    except (OSError, InputError):  # there is none, or nothing that can be read
        return None
    silent, known = max(0.0, _now(file, touched) - touched), _known(text)
    since = time.time() - known.get("taken", touched)
    return Owner(
        printable(known.get("host", "an unknown host")),
        known.get("pid", 0),
        known.get("machine", ""),
        known.get("born"),
        known.get("token", ""),
        max(since, silent),
        silent,
    )


class _Content(TypedDict):
    """What a lock holds."""

    host: NotRequired[str]
    pid: NotRequired[Count]
    machine: NotRequired[str]
    token: NotRequired[str]
    taken: NotRequired[float]
    born: NotRequired[str | None]


def _known(text: bytes) -> dict[str, Any]:
    """What a lock holds; nothing of one that is half written, or a stranger's: it is known by its age alone."""
    try:
        content = parsed_json(text.decode())
        check(content, _Content, "lock")
    except ValueError:
        return {}
    whole = re.fullmatch(r"\w{0,64}", content.get("token", "")) and math.isfinite(content.get("taken", 0.0))
    return content if whole and content.get("pid", 0) < 2**31 else {}


def _now(file: pathlib.Path, touched: float) -> float:
    """The time by the clock that stamps the files of this folder, which may be another machine's."""
    probe = file.with_name(f"{NAME}-{secrets.token_hex(4)}")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:  # nothing can be written here: our own clock
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def _machine() -> str:
    """What tells two machines, boots and containers apart."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _lives(pid: int, born: str | None) -> bool:
    """Whether a process of this machine is there, and is the one that was born then."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        pass
    now = _born(pid)
    return now != "dead" and (born is None or now is None or now == born)


def _born(pid: int) -> str | None:
    """When a process began, in ticks since the boot; "dead" if only its entry is left; None where nothing says so."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "dead" if fields[0] in "ZX" else fields[19]
