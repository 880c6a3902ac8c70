"""The command line: `jaxgan VERB ...`, or `python -m jaxgan VERB ...`."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from jaxgan.cli.status import exit_status, unheard
from jaxgan.common.errors import InputError, unknown

Verb = Callable[[list[str]], int | None]
USAGE = """\
jaxgan: generative adversarial networks in JAX

  jaxgan train [PRESET] [DATA] [--flag value] train; `jaxgan train --help` lists presets and flags
  jaxgan resume RUN [--steps N]               go on exactly where a run stopped
  jaxgan sample RUN [--seeds 0-63]            images from a run: a grid, files, an animation
  jaxgan evaluate RUN [--checkpoint best]     score a run
  jaxgan runs [FOLDER]                        what was trained, how far and how well
  jaxgan compare A B --out page.html          runs side by side
  jaxgan apply RUN IMAGES... --out DIR        images restored or translated, at their own sizes
  jaxgan anomalies RUN IMAGES --out DIR       scores and heat maps of images that are unlike those of a run
  jaxgan project RUN IMAGE... --out DIR       latents of real images
  jaxgan directions RUN --out DIR             directions among latents: sefa, ganspace, supervised
  jaxgan edit RUN --seed 7 --direction 3=-2:2 images that move along directions, mix styles, walk from one to another
  jaxgan dissect RUN --out DIR                what units of a generator stand for, and images without them
  jaxgan export RUN --out DIR                 weights, card and a sampler that needs JAX alone
  jaxgan losses                               list the losses; check or plot one, also of your own
  jaxgan check FILE.py:NAME                   which laws something of your own obeys, and which it breaks
  jaxgan metrics                              list the scores; train features on your own labelled data
  jaxgan presets                              list the presets
  jaxgan compile [PRESET] --topology v5e:4x4  a step for machines that are not here: memory, time, what bounds it
  jaxgan data show SOURCE                     look at data; `jaxgan data prepare NAME` downloads a TFDS set
  jaxgan doctor                               versions, devices, folders

`jaxgan VERB --help` says more. A run is a folder such as runs/00000-dcgan-mnist.
"""

VERBS = (
    "train",
    "resume",
    "sample",
    "evaluate",
    "runs",
    "compare",
    "apply",
    "anomalies",
    "project",
    "directions",
    "edit",
    "dissect",
    "export",
    "losses",
    "check",
    "metrics",
    "presets",
    "compile",
    "data",
    "doctor",
)
# those in the folder cli/use
_USE = ("apply", "anomalies", "project", "directions", "edit", "dissect")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status, as `jaxgan.cli.status.exit_status` says."""
    # XLA speaks of slow compilations on stderr, many lines at a time: what goes wrong is raised all the same
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a name or a dash that the terminal has no letters for is no error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not args or args[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    if args[0] in ("-V", "--version"):
        from jaxgan import __version__

        print(f"jaxgan {__version__}")
        return 0
    with unheard() if args[0] in ("train", "resume") else contextlib.nullcontext():
        try:
            status = exit_status(lambda: _verb(args[0])(args[1:]))
        except Exception:
            _leave(1, with_traceback=True)
            raise
    _leave(status)
    return status


def _leave(status: int, *, with_traceback: bool = False) -> None:
    """Ends one of several processes that has failed: leaving in order would mean to wait for the others."""
    from jaxgan.common import processes

    if not processes.failed():
        return
    if with_traceback:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _verb(name: str) -> Verb:
    """The function of a verb, which is called as its file is; nothing of the others is imported."""
    if name not in VERBS:
        raise unknown("command", name, VERBS)
    try:
        importlib.import_module("jax")
    except ImportError:
        raise
    except Exception as error:  # a value of its variables that JAX cannot read, which it raises as many types
        given = " ".join(
            f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("JAX_")
        )
        raise InputError(
            f"environment: JAX cannot be imported ({error}); it reads {given or 'no JAX_*'}"
        ) from error
    where = "jaxgan.cli.use" if name in _USE else "jaxgan.cli"
    return getattr(importlib.import_module(f"{where}.{name}"), name)


if __name__ == "__main__":
    sys.exit(main())
