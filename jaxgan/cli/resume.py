"""`jaxgan resume`: a run that goes on where it stopped."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import tyro

from jaxgan.cli.arguments import parse
from jaxgan.common.errors import InputError
from jaxgan.runs import environment

Positional = tyro.conf.Positional


@dataclass(frozen=True)
class _Resume:
    """Go on with a run from its newest good checkpoint, exactly as if it had never stopped."""

    run: Positional[pathlib.Path]
    """Folder of the run."""
    steps: int | None = None
    """Train up to this step instead of the configured one."""


def resume(args: list[str]) -> None:
    """Goes on with a run."""
    from jaxgan.runs.folder import RunFolder
    from jaxgan.train.resume import resume as run
    from jaxgan.train.seeds import is_seeds, resume_seeds

    parsed = parse(_Resume, args, "resume")
    environment.start()
    folder = RunFolder(parsed.run)
    if is_seeds(parsed.run.resolve().parent) and not is_seeds(parsed.run):
        raise InputError(
            f"run: {str(parsed.run)!r} is one of several seeds; resume them together: {parsed.run.resolve().parent}"
        )
    if is_seeds(parsed.run):
        if parsed.steps is not None:
            raise InputError("steps: cannot change for a run of several seeds")
        folder = resume_seeds(folder)
    else:
        folder = run(folder, steps=parsed.steps)
    print(f"report: {folder.report}")
