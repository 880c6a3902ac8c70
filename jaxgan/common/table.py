"""The table of strings by which several processes tell each other what they must know, in a process of its own.

JAX would have it in process 0 and, where that one dies, abort all others at once with a page of C++. Beside it the
table lives on until all have found out that process 0 is dead.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

_PATIENCE = 10.0  # seconds in which the process of a table that nobody needs any more ends
_tables: list[_Table] = []


class _Table:
    """The process of a table; what JAX's own service of this kind can do, as far as JAX asks for it."""

    def __init__(self, arguments: str, outlives: float) -> None:
        code = (
            "import os, sys, time; from jax._src.lib import _jax\n"
            f"kept = _jax.get_distributed_runtime_service({arguments})\n"
            f"kept.shutdown() if sys.stdin.read() else time.sleep({outlives})\n"
            "os._exit(0)"
        )
        nowhere, words = subprocess.DEVNULL, [sys.executable, "-c", code]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    def shutdown(self) -> None:
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            self._process.communicate(b"done", timeout=_PATIENCE)
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def apart(outlives: float) -> Iterator[None]:
    """Inside, a table that JAX makes lives in a process of its own.

    Args:
      outlives: seconds that it outlives this process, if that dies.
    """
    from jax._src import distributed as module

    distributed: Any = module
    library = distributed._jax

    class Library:
        """That of JAX, but for the table."""

        def __getattr__(self, name: str) -> Any:
            return getattr(library, name)

        def get_distributed_runtime_service(self, address: str, n: int, **options: Any) -> _Table:
            _tables.append(_Table(f"{address!r}, {n}, **{options!r}", outlives))
            return _tables[-1]

    distributed._jax = Library()
    try:
        yield
    finally:
        distributed._jax = library


def let_go() -> None:
    """Ends the table of this process, which is ending itself, so that nobody needs the table any more."""
    while _tables:
        _tables.pop().kill()
