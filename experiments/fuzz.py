"""Every file that may be a stranger's, made wrong in thousands of ways: it is read, or refused in one line.

    python experiments/fuzz.py [--n 700] [--only scores.json] [--seed 0]

For each kind of file (`fuzz_kinds.py`) n wrong ones are made of a right one (`mutations.py`) and read as the
commands do. What may come of it is a value or an `InputError` of one line; anything else (another exception, a warning)
is printed with what makes it again, and the exit status is 1.

Hardware: any CPU, in some three minutes. On two shared cores of an AMD EPYC 10,500 files of 15 kinds: no unclean one
is left (the first such run found four, and one that filled the memory: a `d_steps` of 2 ** 31).
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass

from fuzz_kinds import Kind, kinds

from jaxgan.cli.arguments import run_script
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup

MEMORY = 2**33
"""Bytes of addresses that the script may take: a file that fills the memory is unclean, and ends nothing else."""


@dataclass(frozen=True)
class Args:
    """Wrong files of every kind."""

    n: int = 700
    """Of each kind."""
    only: str | None = None
    """One kind."""
    seed: int = 0
    """Of what is made wrong."""


@dataclass
class Found:
    """What came of the files of one kind."""

    read: int = 0
    refused: int = 0
    unclean: list[str] = dataclasses.field(default_factory=list)
    slowest: float = 0.0


def tried(kind: Kind, content: bytes) -> str:
    """ "read" or "refused"; anything else is what was raised in place of an InputError of one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", UserWarning)  # of what is left out
            kind.read(content)
    except InputError as error:
        text = str(error)
        return "refused" if "\n" not in text and text.isprintable() else f"more than a line: {text!r}"
    except Exception:
        return traceback.format_exc(limit=-4)
    return "read"


def fuzz(kind: Kind, n: int, seed: int) -> Found:
    """Reads n wrong files of a kind, after the right one."""
    found = Found()
    if (came := tried(kind, kind.right)) != "read":
        found.unclean.append(f"the right file: {came}")
    for i in range(n):
        content, begun = kind.wrong(random.Random(f"{seed} {i}")), time.perf_counter()
        came = tried(kind, content)
        found.slowest = max(found.slowest, time.perf_counter() - begun)
        if came in ("read", "refused"):
            setattr(found, came, getattr(found, came) + 1)
        else:
            found.unclean.append(f"{i}: {content[:300]!r}\n{came}")
    return found


def main(args: Args) -> int:
    """Prints what came of every kind."""
    check_range("n", args.n, at_least=1)
    failed = 0
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAXGAN_CACHE"] = f"{folder}/cache"
        every = kinds(pathlib.Path(folder))
        chosen = every if args.only is None else {args.only: lookup("kind", args.only, every)}
        print(f"{'kind':18}{'files':>7}{'read':>7}{'refused':>9}{'unclean':>9}{'seconds':>9}{'slowest':>9}")
        for name, kind in chosen.items():
            begun = time.perf_counter()
            found = fuzz(kind, args.n, args.seed)
            failed += len(found.unclean)
            row = f"{name:18}{args.n:7}{found.read:7}{found.refused:9}{len(found.unclean):9}"
            print(f"{row}{time.perf_counter() - begun:9.1f}{found.slowest:9.3f}", flush=True)
            for text in found.unclean[:5]:
                print(text, file=sys.stderr)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(run_script(main, Args, __doc__))
