"""`jaxgan resume`: a run that goes on where it stopped."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jaxgan.cli.arguments import Positional, flags_named_for, parse
from jaxgan.cli.words.processes import Processes
from jaxgan.common.errors import InputError


@dataclass(frozen=True)
class Resume:
    """Go on with a run from its newest good checkpoint, exactly as if it had never stopped."""

    run: Positional[pathlib.Path]
    """Folder of the run, or of a run of several seeds."""
    steps: int | None = None
    """Train up to this step instead of the configured one."""
    restart_schedule: bool = False
    """With --steps: follow from here on the schedules of a run of so many steps, where there are any."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""
    data_source: Annotated[str | None, tyro.conf.arg(name="data.source")] = None
    """Where the same data are now, such as folder:PATH; what is in them is checked."""
    together: tyro.conf.OmitArgPrefixes[Processes] = field(default_factory=Processes)


@flags_named_for(Resume, of_a_run=True)
def resume(args: list[str]) -> None:
    """Goes on with a run, or with all members of a run of several seeds."""
    parsed = parse(Resume, args, "resume")
    with parsed.together.joined():
        _resume(parsed)


def _resume(parsed: Resume) -> None:
    from jaxgan.runs import environment
    from jaxgan.runs.folder import RunFolder
    from jaxgan.train.resume import resume as resume_run
    from jaxgan.train.seeds import is_seeds, resume_seeds

    environment.start()
    folder, parent = RunFolder(parsed.run, parsed.trust), parsed.run.resolve().parent
    if is_seeds(parsed.run):
        if parsed.together.distributed:
            raise InputError("run: expected a run of one seed beside --distributed, got one of several")
        if parsed.steps is not None:
            raise InputError("steps: cannot change for a run of several seeds")
        if parsed.restart_schedule:
            raise InputError(
                "restart-schedule: expected a run of one seed, whose --steps it is for, got several"
            )
        folder = resume_seeds(folder, source=parsed.data_source)
    elif is_seeds(parent):
        raise InputError(f"run: {str(parsed.run)!r} is one of several seeds; resume them together: {parent}")
    else:
        folder = resume_run(
            folder,
            steps=parsed.steps,
            source=parsed.data_source,
            restart_schedule=parsed.restart_schedule,
        )
    print(f"report: {folder.report}")
