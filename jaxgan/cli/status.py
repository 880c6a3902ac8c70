"""How a command ends: what is raised becomes one line and an exit status."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from jaxgan.common.errors import InputError
from jaxgan.common.files import printable


def exit_status(run: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit status.

    0: done, or what the command itself returns. 1: training diverged. 2: bad input, or a file or disk that could
    not be used, or memory of a device that does not suffice; one line on stderr says which. 129, 130, 143: stopped by
    SIGHUP, SIGINT or SIGTERM (a training run saves first). 141: the reader of the output has gone.
    """
    try:
        return run() or 0
    except InputError as error:
        return _fail(error, 2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as of `jaxgan presets | head`
        sys.stderr.close()
        return 141
    except OSError as error:
        return _fail(error, 2)
    except Exception as error:
        from jaxgan.train.stops import Diverged, Stopped

        if isinstance(error, Stopped):
            print(f"stopped at step {error.step:,}, all saved; go on with: jaxgan resume {error.folder.path}")
            return 128 + error.signum
        if isinstance(error, Diverged):
            return _fail(error, 1)
        if wanted := _memory_wanted(error):
            return _fail(wanted, 2)
        raise


def _memory_wanted(error: Exception) -> str:
    """One line about a device's memory that did not suffice; "" for another error."""
    said = str(error)
    if type(error).__name__ not in ("JaxRuntimeError", "XlaRuntimeError") or "RESOURCE_EXHAUSTED" not in said:
        return ""
    amount = re.search(r"allocat(?:e|ing) ([\d.]+) ?([KMGT]iB|bytes)", said)
    wanted = "more memory than it has"
    if amount:
        number, unit = float(amount[1]), amount[2]
        wanted = f"{number / 2**30:,.1f} GiB" if unit == "bytes" else f"{number:,.1f} {unit}"
        wanted += ", which it has not free"
    return (
        f"memory: a device was asked for {wanted}; a smaller --batch-size or --n needs less, as do "
        "--compute.microbatches and --compute.remat in training; `jaxgan compile` says what fits; on a GPU JAX takes "
        "three quarters of the memory, and XLA_PYTHON_CLIENT_MEM_FRACTION=0.95 more of it"
    )


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Inside, work goes on although nobody reads what it prints any more, as in `jaxgan train | head -3`."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Unheard(out), _Unheard(err)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


@contextlib.contextmanager
def warnings_in_lines() -> Iterator[None]:
    """Prints the warnings of what is inside at the end, a line each, without their place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning):
        print(f"warning: {text}", file=sys.stderr)


class _Unheard:
    """A stream that falls silent when its reader, or its terminal, has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[..., Any], *args: str) -> None:
        try:
            act(*args)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            with contextlib.suppress(OSError):  # what is still to come, and is in its buffer, goes nowhere
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


def _fail(error: BaseException | str, status: int) -> int:
    print(f"error: {printable(' '.join(str(error).split()))}", file=sys.stderr)
    return status
