"""The command line: `jaxgan VERB ...`, or `python -m jaxgan VERB ...`."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxgan.common.errors import InputError, lookup

USAGE = """\
jaxgan: generative adversarial networks in JAX

  jaxgan train [PRESET] [--field value ...]   train; `jaxgan train PRESET --help` lists all fields
  jaxgan resume RUN [--steps N]               go on exactly where a run stopped
  jaxgan sample RUN [--seeds 0-63]            images from a run: a grid, files, an animation
  jaxgan evaluate RUN [--checkpoint best]     score a run
  jaxgan losses                               list the losses; check or plot one, also of your own
  jaxgan metrics                              list the scores; train features on your own labelled data
  jaxgan presets                              list the presets
  jaxgan data show SOURCE                     look at data; `jaxgan data prepare NAME` downloads a TFDS set
  jaxgan doctor                               versions, devices, folders

`jaxgan VERB --help` says more. A run is a folder such as runs/00000-dcgan-mnist.
"""

VERBS = ("train", "resume", "sample", "evaluate", "losses", "metrics", "presets", "data", "doctor")


def _verb(name: str) -> Callable[[list[str]], int | None]:
    lookup("command", name, dict.fromkeys(VERBS))
    return getattr(importlib.import_module(f"jaxgan.cli.{name}"), name)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    0: done. 1: training diverged, or a loss breaks a law. 2: bad input, or a file or disk that could
    not be used; one line on stderr says which. 130, 143: stopped by SIGINT or SIGTERM (a training run
    saves first).
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    if args[0] in ("-V", "--version"):
        from jaxgan import __version__

        print(f"jaxgan {__version__}")
        return 0
    try:
        with _no_echoes():
            return _verb(args[0])(args[1:]) or 0
    except InputError as error:
        return _fail(error, 2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `jaxgan presets | head`
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


if __name__ == "__main__":
    sys.exit(main())
