"""Several processes that make one run: how they find each other, what they tell each other, and how they end.

Each runs the same program on the devices of its own; programs of all devices keep them in step. What is told beside
that goes through a table of strings, which a process beside process 0 keeps: JAX would have it in process 0 itself, and
would abort the others, with a page of C++, as that one dies. By itself, a process is the only and the first one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from jaxgan.common import table
from jaxgan.common.errors import InputError

Value = TypeVar("Value")
BEAT = 1.0
"""Seconds between two signs of life."""
SILENT = 30.0
"""Seconds without a sign of life after which a process is taken for dead."""
DEAF = 10.0
"""Seconds without an answer of process 0, which is asked every second, after which it is taken for gone."""
PATIENCE = 600.0
"""Seconds that processes wait for one that is alive and takes longer, as to read a file."""
LOST = 75
"""Exit status (EX_TEMPFAIL) of a process that ends because another one did: its work can be gone on with."""

_APART = "distributed: the processes cannot find each other{}: {}"
_DAY = 24 * 3600 * 1000  # ms: who is dead is found by signs of life
_NEWS, _ALIVE, _ROUNDS = "jaxgan/news/", "jaxgan/alive/", "jaxgan/rounds/"
_rounds = itertools.count()
_over = threading.Event()  # this process ends; whatever becomes of the others is no news any more
_asked: list[int] = []  # signals that this process got
_heard = threading.Event()  # somebody got one
_last_words: list[Callable[[str], None]] = []
_beats: dict[int, int] = {}  # signs of life so far of the others, by process


class Late(InputError):
    """One of several processes did not get as far as the others in time; whatever it was doing may be all right."""


def _state() -> Any:
    from jax._src import distributed  # the table has no public name

    return distributed.global_state


def several() -> bool:
    """Whether this is one of several processes."""
    return _state().client is not None and _state().num_processes > 1


def count() -> int:
    """How many processes there are."""
    return _state().num_processes if several() else 1


def index() -> int:
    """The number of this process, from 0 on."""
    return _state().process_id if several() else 0


def first() -> bool:
    """Whether this process is the first, which writes what is written once."""
    return index() == 0


# --- the beginning ---------------------------------------------------------------------------------


def start(
    coordinator: str | None = None, n: int | None = None, index: int | None = None, *, timeout: int = 300
) -> None:
    """Finds the other processes. It comes before anything is computed.

    Args:
      coordinator: HOST:PORT of process 0; None, here and below: as Slurm, Kubernetes or a Cloud TPU says.
      n: number of processes.
      index: of this one.
      timeout: seconds to wait for the others.

    Raises:
      InputError: if the processes cannot find each other, for whatever reason.
    """
    where = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS", "")
    port = re.fullmatch(r".+:(\d{1,5})", where)
    if where and (port is None or not 0 < int(port[1]) < 2**16):
        raise InputError(f"coordinator: expected HOST:PORT of process 0, got {where!r}")
    if n is not None and n < 1:
        raise InputError(f"processes: expected at least 1, got {n}")
    if index is not None and not 0 <= index < (index + 1 if n is None else n):
        raise InputError(f"process-index: expected 0 to {'...' if n is None else n - 1}, got {index}")
    if index == 0 and port is not None and _is_taken(int(port[1])):  # where JAX would crash
        raise InputError(f"coordinator: expected a port that is free, got that of {where!r}, which is in use")
    import jax

    place = f" at {where}" if where else ""
    late = threading.Timer(timeout, _end_late, (place, timeout))  # where JAX would abort
    late.daemon = True
    late.start()
    kept = None
    with contextlib.suppress(ValueError):  # not in the main thread
        kept = signal.signal(signal.SIGINT, signal.SIG_DFL)  # JAX does not look at Ctrl-C while it waits
    try:
        with table.apart(outlives=SILENT + DEAF):
            jax.distributed.initialize(
                coordinator,
                n,
                index,
                initialization_timeout=timeout + 60,
                heartbeat_timeout_seconds=int(2 * SILENT),  # for where ours, which says more, fails
            )
    except Exception as error:  # of many types; what it says of a missing argument is for programmers
        _over.set()
        asked = {"--coordinator HOST:PORT": coordinator, "--processes N": n, "--process-index I": index}
        unsaid = [flag for flag, value in asked.items() if value is None]
        if unsaid and isinstance(error, ValueError | TypeError):
            raise InputError(
                f"distributed: expected {', '.join(unsaid)} beside it, as nothing here, such as Slurm, Kubernetes or a "
                "Cloud TPU, says them; got none"
            ) from error
        raise InputError(_APART.format(place, _line(error))) from error
    finally:
        late.cancel()
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, kept or signal.getsignal(signal.SIGINT))
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # which JAX has taken
    if several():
        threading.Thread(target=watch, args=(_state().client,), daemon=True).start()


def _is_taken(port: int) -> bool:
    with contextlib.closing(socket.socket()) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("", port))
        except OSError:
            return True
    return False


def _end_late(place: str, timeout: int) -> None:
    text = _APART.format(place, f"after {timeout} s they were not all there")
    print(f"error: {' '.join(text.split())}", file=sys.stderr, flush=True)
    table.let_go()
    os._exit(2)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


# --- what they tell each other ---------------------------------------------------------------------


def gathered(text: str, within: float | None = None) -> list[str]:
    """Returns the texts of all processes, in their order. All call it, equally often and in the same order, and wait.

    Args:
      text: of this process.
      within: seconds to wait for the others; None: as long as they live.

    Raises:
      Late: if one of them has not come by then; it names it.
    """
    if not several():
        return [text]
    client, number = _state().client, next(_rounds)
    client.key_value_set(f"{_ROUNDS}{number}/{index()}", text)
    try:
        client.wait_at_barrier(f"{_ROUNDS}{number}", _DAY if within is None else int(1000 * within))
    except Exception as error:
        late = [i for i in range(count()) if i not in _said(client, number)]
        if within is None or not late:
            raise
        raise Late(
            f"distributed: expected all {count()} processes to get as far within {within:.0f} s, and process "
            f"{late[0]} did not"
        ) from error
    said = _said(client, number)
    if first() and number:  # which all have read, as they are here
        client.key_value_delete(f"{_ROUNDS}{number - 1}/")
    return [said[i] for i in range(count())]


def _said(client: Any, number: int) -> dict[int, str]:
    """What has been said so far in a round, by process."""
    return {
        int(key.rpartition("/")[2]): text for key, text in client.key_value_dir_get(f"{_ROUNDS}{number}/")
    }


def by_all(do: Callable[[], Value], within: float = PATIENCE) -> Value:
    """Calls `do`, and returns its value once `do` has succeeded in every process. All processes call this together.

    Args:
      do: what each process does by itself, or what all do together so that it fails in all of them or in none.
      within: seconds that the others may take longer than this process.

    Raises:
      InputError: in all processes, as `do` raised it in one of them; where there are several, it names that one.
      Late: if one of them takes longer.
    """
    try:
        made, why = do(), ""
    except InputError as error:
        if not several():
            raise
        made, why = None, str(error)
    if bad := [f"process {i}: {text}" for i, text in enumerate(gathered(why, within)) if text]:
        others = f" (and {len(bad) - 1} more of the {count()} processes)" if len(bad) > 1 else ""
        raise InputError(bad[0] + others)
    return made  # pyright: ignore[reportReturnType]  (where it is none, it was raised)


def from_first(make: Callable[[], Value]) -> Value:
    """Returns, in all processes, what `make` gives in process 0, which alone calls it: a value that JSON can hold.

    All of them call this, as `gathered`.
    """
    if not several():
        return make()
    return json.loads(gathered(json.dumps(make()) if first() else "")[0])


def wait() -> None:
    """Returns when all processes are here."""
    gathered("")


def check_same(**facts: Any) -> None:
    """Raises InputError, in all processes, unless all pass the same facts: values of JSON by names of arguments."""
    said = [json.loads(text) for text in gathered(json.dumps(facts))]
    for i, other in enumerate(said):
        if apart := _apart("", said[0], other):
            name, ours, theirs = apart
            raise InputError(
                f"{name}: expected the same in all {count()} processes, got {str(ours)[:200]} in process 0 and "
                f"{str(theirs)[:200]} in process {i}"
            )


def _apart(name: str, a: Any, b: Any) -> tuple[str, Any, Any] | None:
    """The first entry, with dots in its name, in which two values of JSON differ."""
    if a == b:
        return None
    if not isinstance(a, dict) or not isinstance(b, dict):
        return name, a, b
    inner = (_apart(f"{name}.{key}".removeprefix("."), a.get(key), b.get(key)) for key in {**a, **b})
    return next(filter(None, inner))


def ask(signum: int) -> None:
    """Tells the others, within a second, that this process was asked to stop."""
    _asked.append(signum)
    _heard.set()


def asked() -> bool:
    """Whether this process knows that one of them was asked to stop."""
    return _heard.is_set()


# --- the end ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def together(*shared: type[BaseException]) -> Iterator[None]:
    """Inside, whatever ends one process ends all of them, and each says why.

    Args:
      shared: types of errors that all processes raise at the same place, so that nobody need be told.
    """
    try:
        yield
    except BaseException as error:
        if several() and not isinstance(error, shared):
            if _may_be_of_another(error):
                _wait_for_all()
            name = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            _tell(name + _line(error))
        else:
            wait()
        raise
    else:
        wait()  # for the first, which may have more to write, and would take who leaves for dead
    finally:
        _over.set()


def failed() -> bool:
    """Whether this process has ended without the others, for which it must not wait."""
    return bool(_told)


_told: list[str] = []


def at_loss(say: Callable[[str], None]) -> None:
    """Has `say` called with a line before this process ends because another one has ended."""
    _last_words.append(say)


def _may_be_of_another(error: BaseException | None) -> bool:
    """Whether an error may come of another process that is gone: one of a program of all devices, or of saving."""
    if error is None:
        return False
    of_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    return of_jax or isinstance(error, OSError) or _may_be_of_another(error.__cause__)


def _wait_for_all() -> None:
    """Returns once all others have given signs of life from now on; where one does not, `watch` ends this process."""
    before, until = dict(_beats), time.monotonic() + SILENT + DEAF
    # a sign that is seen now may have been given before; the second one was not
    while any(_beats[i] < n + 2 for i, n in before.items()) and time.monotonic() < until:
        time.sleep(BEAT / 4)


def _tell(text: str) -> None:
    _over.set()
    _told.append(text)
    with contextlib.suppress(Exception):
        _state().client.key_value_set(f"{_NEWS}failed/{index()}", text)
        if first():
            time.sleep(3 * BEAT)  # in which the others read it
            table.let_go()


def watch(client: Any) -> None:
    """Gives signs of life, looks for those of others, and ends this process when one of them has ended.

    Args:
      client: of the table of strings.
    """
    now = time.monotonic()
    seen, answered = {i: ("", now) for i in range(count()) if i != index()}, now
    _beats.update(dict.fromkeys(seen, 0))
    for beat in itertools.count():
        if _over.wait(BEAT):
            return
        try:
            client.key_value_set(f"{_ALIVE}{index()}", str(beat), allow_overwrite=True)
            if _asked:
                client.key_value_set(f"{_NEWS}asked/{index()}", str(_asked[0]), allow_overwrite=True)
            news = {key.removeprefix(_NEWS): text for key, text in client.key_value_dir_get(_NEWS)}
            alive = {int(key.removeprefix(_ALIVE)): text for key, text in client.key_value_dir_get(_ALIVE)}
        except Exception as error:  # no table
            if time.monotonic() - answered > DEAF:
                _end(f"process 0 is gone ({_line(error)})")
            continue
        answered = time.monotonic()
        if any(key.startswith("asked/") for key in news):
            _heard.set()
        for key, text in news.items():
            if key.startswith("failed/"):
                _end(f"process {key.removeprefix('failed/')} failed: {text}")
        for i, (text, _) in seen.items():
            if alive.get(i, "") != text:
                seen[i] = alive.get(i, ""), answered
                _beats[i] += 1
        silent = [i for i, (_, since) in seen.items() if answered - since > SILENT]
        if silent and index() == min({*range(count())} - {*silent}):
            text = f"it gave no sign of life for {SILENT:.0f} s"
            with contextlib.suppress(Exception):
                client.key_value_set(f"{_NEWS}failed/{silent[0]}", text)
                time.sleep(3 * BEAT)
            _end(f"process {silent[0]} failed: {text}")


def _end(text: str) -> None:
    """Ends this process, which waits in a program of all devices for one that does not come."""
    if _over.is_set():  # by itself, already
        return
    text = f"{' '.join(text.split())}; process {index()} ends as well"
    for say in _last_words:
        with contextlib.suppress(Exception):
            say(text)
    print(f"error: {text}", file=sys.stderr, flush=True)
    table.let_go()
    os._exit(LOST)
