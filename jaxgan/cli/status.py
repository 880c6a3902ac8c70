"""How a command ends: what is raised becomes one line and an exit status."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from jaxgan.common.errors import InputError


def exit_status(run: Callable[[], int | None]) -> int:
    """Runs a command and returns its exit status.

    0: done, or what the command itself returns. 1: training diverged. 2: bad input, or a file or disk that could
    not be used; one line on stderr says which. 130, 143: stopped by SIGINT or SIGTERM (a training run saves
    first). 141: the reader of the output has gone.
    """
    try:
        with _no_echoes():
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
        raise


@contextlib.contextmanager
def _no_echoes() -> Iterator[None]:
    """After a failed save, threads of TensorStore print once for every array that its event loop is closed.

    The failure itself is raised, and ends in one line.
    """
    hook = sys.unraisablehook

    def quiet(unraisable: Any) -> None:
        if "Event loop is closed" not in str(unraisable.exc_value):
            hook(unraisable)

    sys.unraisablehook = quiet
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _fail(error: BaseException, status: int) -> int:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return status
